"""Looks for a server's own OpenAPI document in the usual places."""

from __future__ import annotations

import httpx

from deadheat.drive.wire.lane import LaneClient
from deadheat.errors import NotThisApi, StartFailed

# FastAPI; OpenCode and Hono; older tools; the same in YAML.
PLACES = ("/openapi.json", "/doc", "/swagger.json", "/openapi.yaml", "/api/openapi.json")


async def find_document(base_url: str, path: str, timeout_s: float) -> tuple[str, str]:
    """The text and address of the first document found; ``path``: look only there.

    Raises ``StartFailed`` when the server does not answer, ``NotThisApi`` when there is none.
    """
    client = LaneClient(base_url, timeout_s)
    places = (path,) if path else PLACES
    try:
        for place in places:
            answer, *_ = await client.send("GET", place, None)
            text = answer.content.decode(errors="replace")
            if answer.status_code == 200 and "openapi" in text[:2_000]:
                return text, place
    except httpx.RequestError as exc:
        raise StartFailed(
            f"{base_url} does not answer ({type(exc).__name__}). Start the server, then try again."
        ) from exc
    finally:
        await client.aclose()
    raise NotThisApi(
        f"{base_url} has no OpenAPI 3 document at {', '.join(places)}. "
        "Name its address, or give its file and --url."
    )
