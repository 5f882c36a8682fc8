"""A draft of a profile, from an OpenAPI description."""
