"""Statements of any bank or processor."""
