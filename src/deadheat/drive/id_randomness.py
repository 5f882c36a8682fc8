"""How much chance is in ids: enough that nobody is given one of them again?"""

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
    """Do these ids differ by so much chance that nobody is given one of them again?"""
    return len(set(ids)) > 1 and _bits(ids) >= _ENOUGH_BITS


def _bits(ids: Sequence[str]) -> float:
    """How much chance is in the part in which these ids differ, at least by its looks."""
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
    """With how many characters in common they start."""
    columns = takewhile(lambda column: len(set(column)) == 1, zip(*texts, strict=False))
    return sum(1 for _ in columns)
