"""The report that people open."""
