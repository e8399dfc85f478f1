"""The two worlds: `embedded` and `google` are mirror images, one file per port."""
