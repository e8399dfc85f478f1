"""The four verbs: receive, derive, reconcile, rebuild. Each reads top to bottom as the story that it tells."""
