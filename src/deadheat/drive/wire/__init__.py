"""Bytes: connections, the gate, answers as outcomes."""
