"""When the gate let each lane of a round go, and whether that was close enough to the offsets.

Rules
- Offsets are relative: a round that leaves late as a whole has missed nothing.
- A round that missed its offsets is still a true trial of its calls, and what
  diverged in it diverged. It says nothing about the offsets that it was meant to have.
- Only the sender's clock is read; nothing here depends on what the server answered,
  so leaving such a round out biases no rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Half of the finest step between two offsets that are compared (``tuning.OFFSETS_US``, 100 µs):
# a release that is off by more may belong to the neighbour.
NEIGHBOUR_US = 50
# What one send costs the lanes after it. Measured on a quiet 2-core machine, 300 rounds each,
# all lanes due at once: 99 % of rounds spread over less than 66 µs (2 lanes), 94 (5), 278 (20);
# 2 lanes at different offsets over less than 33. On a busy one single rounds miss by 1 to 5 ms.
LANE_US = 12


class Via(StrEnum):
    """The transport of a round's requests, and so what of them is held back."""

    TCP = "tcp"  # the last byte of the head, and the body
    UNIX = "unix"  # the same, on a unix socket
    TLS = "tls"  # the last byte of the record that ends the head, and the body
    HTTP2 = "http2"  # the whole request, one TLS connection for all lanes


@dataclass(frozen=True, slots=True)
class Release:
    """When the head of one lane's request should have become whole, and did, from the opening."""

    lane: int
    wanted_ns: int
    achieved_ns: int


def miss_ns(releases: Sequence[Release]) -> int:
    """The most by which two lanes of a round were nearer or farther apart than wanted."""
    late = [release.achieved_ns - release.wanted_ns for release in releases]
    return max(late, default=0) - min(late, default=0)


def missed(releases: Sequence[Release]) -> bool:
    """Did this round miss its offsets by more than the bound?"""
    return miss_ns(releases) > (NEIGHBOUR_US + LANE_US * len(releases)) * 1_000


def missed_rounds(rounds: Sequence[Sequence[Release]]) -> int:
    """How many of a trial's concurrent rounds missed their offsets."""
    return sum(missed(releases) for releases in rounds)
