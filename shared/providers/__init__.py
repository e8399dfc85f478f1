"""The providers: one folder each, the same file names in each; `toolkit` holds what they share."""
