"""Real requests and real processes. The only importer of anyio, httpx, httpcore and h2."""
