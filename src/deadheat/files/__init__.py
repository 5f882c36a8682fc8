"""What is on disk, and what leaves this process: shapes, names, escapes."""
