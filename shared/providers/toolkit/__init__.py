"""What providers share: signature schemes, JSON bodies, payload models, readings, an HTTP client, the registry."""
