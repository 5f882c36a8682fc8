"""What can be fuzzed, by the word on the command line."""
