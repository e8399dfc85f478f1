"""The ports on Google Cloud, one file a port, on Google's own client libraries."""
