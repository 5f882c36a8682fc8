"""Is there a legal order of a history's calls, and why not? Pure."""
