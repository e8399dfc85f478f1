"""Asiento: money that arrives as events, kept as bytes, proved as a ledger."""
