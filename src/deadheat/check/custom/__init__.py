"""Custom calls: kinds of call that only the target knows."""
