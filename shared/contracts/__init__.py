"""Contracts under version control: what providers promise to send and to take, compared and held against what arrives."""
