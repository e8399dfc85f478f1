"""The small interfaces through which the pipeline meets the world."""
