"""A server process that deadheat starts, watches and ends."""
