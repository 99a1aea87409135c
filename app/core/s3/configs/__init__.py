"""Bucket configurations: one module per kind, all written in the words of `grammar`."""
