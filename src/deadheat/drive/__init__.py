"""Layer 3: real requests and real processes. The only importer of anyio, httpx and httpcore."""
