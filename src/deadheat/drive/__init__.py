"""The way to a live server: the only importer of anyio and httpx."""
