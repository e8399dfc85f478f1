"""The least that the machine does for a request: what the receiving door is measured against."""
