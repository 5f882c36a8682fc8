"""``pages`` in a profile's list: how to ask for the next page.

Rules
- One way of: a number (``page``), a count (``offset``), what the answer hands out (``cursor``), an
  address in the answer (``next``) or in its Link header (``link``).
- A page without entries is the last one, and so is one of fewer than ``size`` where pages are
  counted; else the one that names no next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from pydantic import Field, model_validator

from deadheat.targets.profile.table import Table
from deadheat.targets.profile.value_path import parsed, place

if TYPE_CHECKING:
    from deadheat.drive.wire.api import WireRequest
    from deadheat.model.history import Invocation, Kind

_WAYS = ("page", "offset", "cursor", "next", "link")


class PagesTable(Table):
    """How to ask for the next page of a list. Write one of page, offset, cursor, next, link."""

    page: str | None = Field(
        default=None, description="The query parameter of the page's number.", examples=["page"]
    )
    first: int = Field(default=1, ge=0, description="The number of the first page.")
    offset: str | None = Field(
        default=None, description="The query parameter that skips entries.", examples=["offset"]
    )
    size: int | None = Field(
        default=None,
        ge=1,
        description="With page or offset: a page of fewer entries is the last one; left out: an "
        "empty one is.",
        examples=[50],
    )
    cursor: str | None = Field(
        default=None, description="Where the answer has the cursor.", examples=["meta.next_cursor"]
    )
    parameter: str = Field(
        default="cursor", description="The query parameter that the cursor goes into."
    )
    next: str | None = Field(
        default=None,
        description="Where the answer has the next page's address.",
        examples=["links.next"],
    )
    link: bool = Field(
        default=False, description="The Link header names the next page: rel=next.", examples=[True]
    )
    most: int = Field(
        default=100, ge=1, le=10_000, description="A list of more pages than that is refused."
    )

    @model_validator(mode="after")
    def _one_way(self) -> PagesTable:
        ways = [way for way in _WAYS if getattr(self, way)]
        if len(ways) != 1:
            said = " and ".join(ways) if ways else "no way to the next page"
            raise ValueError(f"has {said}. Write one of: {', '.join(_WAYS)}.")
        for path in (self.cursor, self.next):
            place(path or "")
        return self

    def after(self, asked: WireRequest, shown: int, body: bytes, link: str | None) -> str | None:
        """See ``drive.wire.paging.PageWire``."""
        if self.link:
            return link or None
        if self.next is not None:
            return _handed_out(self.next, body)
        if self.cursor is not None:
            cursor = _handed_out(self.cursor, body)
            return None if cursor is None else _with(asked.path, self.parameter, cursor)
        if shown < (self.size or 1):
            return None
        if self.page is not None:
            number = _number(asked.path, self.page, self.first) + 1
            return _with(asked.path, self.page, str(number))
        assert self.offset is not None
        skipped = _number(asked.path, self.offset, 0) + shown
        return _with(asked.path, self.offset, str(skipped))


@dataclass(frozen=True, slots=True)
class DeclaredPages:
    """The pages of each kind of list that has them."""

    of_kind: dict[Kind, PagesTable]

    @property
    def most(self) -> int:
        """The largest number of pages to read."""
        return max(table.most for table in self.of_kind.values())

    def following(
        self, invocation: Invocation, asked: WireRequest, shown: int, body: bytes, link: str | None
    ) -> str | None:
        """See ``drive.wire.paging.PageWire``."""
        table = self.of_kind.get(invocation.kind)
        return None if table is None else table.after(asked, shown, body, link)


def _handed_out(path: str, body: bytes) -> str | None:
    """The value there; missing, null, false and empty all mean that this page was the last."""
    try:
        found = place(path).of(parsed(body))
    except LookupError:
        return None
    if found is None or found is False or found == "":
        return None
    if not isinstance(found, str | int) or found is True:
        raise TypeError("no address and no cursor")
    return str(found)


def _number(path: str, parameter: str, default: int) -> int:
    query = dict(parse_qsl(path.partition("?")[2], keep_blank_values=True))
    return int(query.get(parameter, default))


def _with(path: str, parameter: str, value: str) -> str:
    where, _, query = path.partition("?")
    pairs = [(k, v) for k, v in parse_qsl(query, keep_blank_values=True) if k != parameter]
    return f"{where}?{urlencode([*pairs, (parameter, value)])}"
