"""The demonstration: a whole season through every part, and the proof that nothing was lost and no centavo is wrong."""
