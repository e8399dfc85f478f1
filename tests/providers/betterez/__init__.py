"""Promises of the provider betterez."""
