"""Mutation testing: small faults are put into the code that decides about money, and a test must notice each."""
