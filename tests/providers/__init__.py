"""Promises of the providers."""
