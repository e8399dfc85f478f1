"""Tests of the contract under version control."""
