"""Layer 2: artifacts and summaries as text. Nothing here sends, reads or decides."""
