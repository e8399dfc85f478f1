"""Tests of the four verbs."""
