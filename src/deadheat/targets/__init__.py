"""What can be named as TARGET, and how to get it running."""
