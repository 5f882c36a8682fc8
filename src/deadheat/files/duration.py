"""Durations as people write them: ``90``, ``90s``, ``10m``, ``8h``, ``50ms``."""

from __future__ import annotations

_UNITS = (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0))


def seconds_of(written: str | float) -> float:
    """The duration in seconds, more than 0. Raises ``ValueError`` with what to write."""
    text, factor = str(written).strip().lower(), 1.0
    for unit, seconds in _UNITS:
        if text.endswith(unit):
            text, factor = text[: -len(unit)].strip(), seconds
            break
    try:
        found = float(text) * factor
    except ValueError:
        raise ValueError(f"{written!r} is not a duration. Write 60s, 10m or 8h.") from None
    if not 0 < found < float("inf"):
        raise ValueError(f"{written!r} must be longer than 0. Write 60s, 10m or 8h.")
    return found
