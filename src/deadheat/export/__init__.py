"""One example as a file for people who do not have deadheat."""
