"""How each provider writes what the records say: documents, one module a provider, shapes from docs/providers."""
