"""Promises, by the part that keeps them."""
