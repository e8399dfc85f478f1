"""What verifying is made of: one module for each thing that is recomputed."""
