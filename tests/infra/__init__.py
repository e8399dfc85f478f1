"""Promises about what is deployed, and how; all held without a network."""
