"""Tests of the BI layer."""
