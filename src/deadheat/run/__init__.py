"""With one live target: run a program once and judge it, and the loops around that."""
