"""What is particular to the Google adapters: what they send, what it costs, and how they bear faults."""
