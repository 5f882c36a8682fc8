"""Whether ids are random enough that none is given twice."""

from __future__ import annotations

import math
import string
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Somebody's create draws a given id out of so many bits by chance less often than machines fail.
_ENOUGH_BITS = 32.0


def are_random(ids: Sequence[str]) -> bool:
    """Do these ids differ in so much randomness that none is given twice?"""
    return len(set(ids)) > 1 and _bits(ids) >= _ENOUGH_BITS


def _bits(ids: Sequence[str]) -> float:
    """The randomness in the part in which these ids differ, in bits, estimated low."""
    start = alike(ids)
    end = alike([one[start:][::-1] for one in ids])
    parts = [one[start : len(one) - end] for one in ids]
    letters = {c for part in parts for c in part if c.isalnum()}
    for kind in (string.digits, string.hexdigits, string.digits + string.ascii_lowercase):
        if letters <= set(kind):
            size = len(set(kind.lower()))
            break
    else:
        size = 62
    return min(sum(c.isalnum() for c in part) for part in parts) * math.log2(size)


def alike(texts: Sequence[str]) -> int:
    """The length of their common prefix."""
    columns = takewhile(lambda column: len(set(column)) == 1, zip(*texts, strict=False))
    return sum(1 for _ in columns)
