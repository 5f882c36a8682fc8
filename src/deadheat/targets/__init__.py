"""Layer 3: what can be fuzzed: OpenCode's releases, the bundled demo, a server by its address."""
