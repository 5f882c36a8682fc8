"""A target described by a Python class."""
