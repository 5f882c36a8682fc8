"""What to try. The only importer of hypothesis."""
