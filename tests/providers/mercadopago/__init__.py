"""Promises of the provider mercadopago."""
