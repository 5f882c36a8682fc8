"""What an animal of the zoo is: a correct server, its habits, and what it declares.

Rules
- Correct, and ``because`` says why in a line. It has a twin at the same address, for requests with
  the header X-Racy: its changes look first and act later, with others in between. So the silence
  of the first means something.
- The profile declares truthfully what the server does, and nothing that it does not keep.
- Imports nothing of deadheat: the servers' own processes read this, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.zoo.carts import Carts

Table: TypeAlias = dict[str, Any]


class Framing(Enum):
    """How an answer says where it ends."""

    LENGTH = "content-length"
    CHUNKED = "chunks with extensions, and trailers"
    CLOSE = "the end of the connection"


class Where(StrEnum):
    """Where it listens."""

    LOOPBACK = "127.0.0.1"
    IPV6 = "::1"
    UNIX = "unix"
    TLS = "tls"


class Ruling(StrEnum):
    """What a run on it must come to. An alarm is none of them."""

    SILENT = "silent"  # searched, nothing found
    REFUSED = "refused"  # deadheat says that it cannot judge it, and why


@dataclass(frozen=True, slots=True)
class Refusing:
    """Some calls are answered ``status`` and do nothing: when more than ``over`` are in flight,
    this ``share`` of them at random, or the ``first`` of each method.
    """

    status: int
    over: int | None = None
    share: float = 0.0
    first: int = 0


@dataclass(frozen=True, slots=True)
class Habits:
    """How calls and answers travel; what they say and do is ``Carts``'.

    ``before_ms``, ``after_ms``: at most so long before and after the step. ``rare``: the share of
    calls that take so many ms more. ``closes``: the share of answers after which the connection
    ends without a word. ``idle_ms``: it ends when nothing came for so long. ``serves``: it ends,
    said, after so many answers. ``piece``: an answer leaves in pieces of so many bytes.
    ``lingers_ms``: the handler goes on at most so long after its answer. ``restarts``: the whole
    server is gone and back again after about so many calls; what it holds stays.
    """

    before_ms: float = 0.0
    after_ms: float = 0.0
    rare: tuple[float, float] = (0.0, 0.0)
    closes: float = 0.0
    idle_ms: float | None = None
    says_close: bool = False
    serves: int | None = None
    version: str = "1.1"
    framing: Framing = Framing.LENGTH
    interim: tuple[int, ...] = ()
    gzip: bool = False
    piece: int | None = None
    lingers_ms: float = 0.0
    shouts: bool = False  # header names in odd case, with odd white space and unknown ones
    redirects: int | None = None  # the status that sends every request elsewhere on this host
    refusing: Refusing | None = None
    restarts: int | None = None
    others: bool = False  # somebody else makes, renames and deletes carts of their own
    where: Where = Where.LOOPBACK


@dataclass(frozen=True, slots=True)
class Stack:
    """A server in a process of its own; {python}, {port}, {stacks} (their folder), {file} and
    {certificate} are filled in. Its environment has PORT and FOLDER (its own).

    ``npm``: packages to install beside {file}. ``go``: {file} is what is built of it.
    """

    argv: tuple[str, ...]
    file: str
    npm: tuple[str, ...] = ()
    go: bool = False
    scheme: str = "http"
    http2: bool = False


@dataclass(frozen=True, slots=True)
class Animal:
    """One server. Either ``carts`` (with ``habits``, in the raw server) or a ``stack``.

    ``declares``: tables of its profile over ``PROFILE``'s. ``exclusive``: nobody else uses it.
    ``races``: of the programs on it so many race, or its silence means little. ``short``, ``long``:
    how many programs the two forms run, where the common number would take too long. ``twin``: has
    it one that is racy?
    """

    name: str
    habit: str
    because: str
    carts: Callable[[bool], Carts] | None = None
    habits: Habits = Habits()
    stack: Stack | None = None
    declares: Table = field(default_factory=dict)
    exclusive: bool = True
    ruling: Ruling = Ruling.SILENT
    twin: bool = True
    races: float = 0.5
    short: int = 12
    long: int = 2_000

    def profile(self, *, racy: bool = False) -> Table:
        """The whole profile, as its TOML file would be; ``racy``: the twin's."""
        whole = merged({**PROFILE, "name": self.name}, self.declares)
        return {**whole, "headers": {"x-racy": "1"}} if racy else whole

    @property
    def promises(self) -> str:
        """What it declares beyond the defaults, for the table."""
        said = {
            key: value
            for key, value in self.profile().items()
            if key not in ("name", "calls") and value is not None
        }
        words = [f"{key} {value}" for key, value in said.items() if not isinstance(value, dict)]
        words += [f"{key} {value}" for key, value in said.get("promises", {}).items()]
        calls = self.profile()["calls"]
        for word in ("refused", "unknown", "exists"):
            statuses = sorted(
                {one for call in calls.values() if call for one in call.get(word, ())}
            )
            words += [f"{word} {', '.join(map(str, statuses))}"] if statuses else []
        words += ["pages"] if "pages" in calls["list"] else []
        return "; ".join(words) or "the defaults"


def merged(below: Table, above: Table) -> Table:
    """``below`` with ``above`` written over it, table by table."""
    made = dict(below)
    for key, value in above.items():
        old = made.get(key)
        made[key] = (
            merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return made


_NAME = {"name": "{title}"}
PROFILE: Table = {
    "calls": {
        "create": {"request": "POST /carts", "body": _NAME, "id": "id"},
        "get": {"request": "GET /carts/{id}", "title": "name"},
        "list": {"request": "GET /carts", "items": "items", "id": "id", "title": "name"},
        "delete": {"request": "DELETE /carts/{id}"},
        "rename": {"request": "PATCH /carts/{id}", "body": _NAME},
    }
}


def every(**keys: Any) -> Table:
    """The same keys for each call: ``every(refused=[503])``."""
    return {"calls": {name: dict(keys) for name in PROFILE["calls"]}}


# A delete that sends a body, as many APIs have: a handler may act long before it is all there.
CLOSE_WITH_A_BODY: Table = {
    "calls": {
        "delete": {
            "request": "POST /carts/{id}/close",
            "body": {"reason": "nobody wants it any more", "by": "the customer"},
        }
    }
}
