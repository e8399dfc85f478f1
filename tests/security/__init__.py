"""The closed door: what is not authentic, not bounded or not ours to tell stays outside."""
