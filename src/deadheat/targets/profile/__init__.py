"""A target described by a TOML profile."""
