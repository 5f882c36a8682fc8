"""What is too large is not taken apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deadheat.drive.wire.decoding import LARGEST_LIST, MOST_VALUES, decoded
from deadheat.model.history import Info, Invocation, Kind, Listed, Ok, Outcome, Seen, Unknown

if TYPE_CHECKING:
    from deadheat.drive.wire.api import WireRequest

LIST = Invocation(Kind.LIST)


@dataclass
class Counted:
    """A wire that notes how much it was given to read."""

    name: str = "counted"
    read: list[int] = field(default_factory=list)

    def encode(self, invocation: Invocation) -> WireRequest:
        raise AssertionError(invocation)

    def decode(self, _call: Invocation, _code: int, body: bytes, _to: str | None = None) -> Outcome:
        self.read.append(len(body))
        return Ok(Listed(tuple(Seen(str(n)) for n in range(body.count(b"{")))))


def test_more_values_than_a_list_can_need_are_not_read_at_all() -> None:
    wire = Counted()
    body = b"[" + b'{"id":"x","name":"y"},' * 1_400_000 + b'{"id":"x","name":"y"}]'
    outcome = decoded(wire, LIST, 200, body)
    assert outcome == Info(
        Unknown.GARBLED, f"200, an answer of 2,800,001 values is larger than {MOST_VALUES:,}"
    )
    assert wire.read == []


def test_a_list_has_a_largest_size_and_no_less() -> None:
    wire = Counted()
    largest = decoded(wire, LIST, 200, b"{" * LARGEST_LIST)
    assert isinstance(largest, Ok)
    outcome = decoded(wire, LIST, 200, b"{" * (LARGEST_LIST + 1))
    assert outcome == Info(
        Unknown.GARBLED, f"200, a list of {LARGEST_LIST + 1:,} entries is larger than 100,000"
    )


def test_an_answer_is_read_as_ever_below() -> None:
    """Commas in a title are not values; the bound is on what they could be, and far away."""
    wire = Counted()
    body = b"{" + b"," * MOST_VALUES
    assert decoded(wire, LIST, 200, body) == Ok(Listed((Seen("0"),)))
    assert wire.read == [MOST_VALUES + 1]
