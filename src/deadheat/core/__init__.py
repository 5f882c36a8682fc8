"""Layer 1: pure decisions. Standard library only; no clock, no I/O, no async, no global RNG."""
