<<<<<<< HEAD
"""Layer 3: real requests and real processes. The only importer of anyio, httpx and httpcore."""
=======
"""The way to a live server: the only importer of anyio and httpx."""
>>>>>>> supervise
