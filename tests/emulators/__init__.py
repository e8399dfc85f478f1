"""Small servers that speak the wire protocols of Google Cloud's services, for tests without a network."""
