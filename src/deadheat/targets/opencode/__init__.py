"""OpenCode's releases, through npm, and their profiles."""
