"""The data that everything is made of. Standard library only."""
