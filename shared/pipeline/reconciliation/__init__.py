"""The jobs of reconcile, one module each, and what they share."""
