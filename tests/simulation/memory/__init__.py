"""The ports in memory: durable as far as the simulation is concerned, deterministic, and small enough to be read."""
