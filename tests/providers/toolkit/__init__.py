"""Promises of what the providers share."""
