"""Layer 5: the command line. A module a family of commands; ``main`` is the console script."""
