"""Layer 3: what to try. The only importer of hypothesis."""
