"""The target's event stream, as one more observer."""
