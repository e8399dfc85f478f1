"""Promises of the provider stripe."""
