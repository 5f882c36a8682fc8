"""The command line, a module a command; ``main`` is the console script."""
