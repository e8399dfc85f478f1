"""One module for each group of commands; each registers its own on the app."""
