"""Promises of the provider dummypay."""
