"""A long search by many processes, and what it keeps."""
