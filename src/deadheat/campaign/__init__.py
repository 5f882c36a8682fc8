"""Layer 4: the engine that turns the cycle of search, shrink and measure."""
