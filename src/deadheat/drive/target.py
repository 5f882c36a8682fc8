"""What a target is: how to reach it, how to speak to it (``drive.wire.api``), what it promises."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deadheat.drive.masking import Mask
from deadheat.drive.wire.address import address_of
from deadheat.model.history import Kind
from deadheat.model.promises import Promises
from deadheat.model.release import Via

if TYPE_CHECKING:
    from deadheat.check.custom.calls import CustomCalls
    from deadheat.drive.events.listener import EventWire
    from deadheat.drive.journal import Journal
    from deadheat.drive.server.process import Launch
    from deadheat.drive.wire.api import PageWire, Wire, WireRequest
    from deadheat.model.history import Custom


# What every session API has.
PLAIN = frozenset({Kind.CREATE, Kind.DELETE, Kind.GET, Kind.LIST})


@dataclass(frozen=True, slots=True)
class Target:
    """A target to fuzz.

    ``name`` is what the user wrote (and what an artifact replays against),
    ``launch`` how to start it (None: the user runs it, at ``base_url``).
    ``exclusive``: nobody else uses it, so an unknown session is a phantom.
    ``unique_ids``: it says itself that an id never comes back (or else that is looked for).
    ``kinds``: the calls that it has; ``families``: its sessions may have a parent.
    ``events``: its event stream, None: it has none. ``timeout_s``: for how long a call may go
    without an answer before it counts as hanging (``model.hangs``).
    ``reset``: empties a server that we manage; sent when something will not go.
    ``pages``: how its lists come in pages, None: each is one answer.
    ``custom``: custom calls that are drawn; ``custom_model``: what they mean.
    ``chosen_ids``: a create says which id the session gets.
    ``max_rps``: at most so many requests a second; None: as fast as it answers.
    ``journal``: where to note what is made there, of a server that we do not manage.
    ``headers``: what every request to it carries; never printed or saved.
    ``mask``: hides the secrets among them, wherever it echoes one.
    ``again``: the options that name it to a command on a saved example, which has its name alone.
    ``http2``: one connection for all lanes, at an https URL (``drive.wire.http2``).
    ``settle_ms``: how long a change may take to show by the target's own word (``Shows``).
    A trial waits it out where the first reads at rest do not agree with what was answered;
    the search also every now and then where they do (a late write may undo it), and whatever
    was seen only like that is shrunk, measured and replayed waiting each time.
    """

    name: str
    wire: Wire
    version: str | None = None
    launch: Launch | None = None
    base_url: str | None = None
    promises: Promises = field(default_factory=Promises)
    exclusive: bool = True
    unique_ids: bool = False
    kinds: frozenset[Kind] = PLAIN
    families: bool = False
    settle_ms: int = 0
    http2: bool = False
    timeout_s: float = 10.0  # OpenCode answers within 0.1 s; 10 s is a hang (DESIGN §4)
    events: EventWire | None = None
    pages: PageWire | None = None
    reset: WireRequest | None = None
    chosen_ids: bool = False
    custom: tuple[Custom, ...] = ()
    custom_model: CustomCalls | None = None
    max_rps: float | None = None
    journal: Journal | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # may hold secrets
    mask: Mask = field(default=Mask())
    again: tuple[str, ...] = ()

    @property
    def via(self) -> Via:
        """The transport of its requests. A managed server listens on plain TCP."""
        if self.http2:
            return Via.HTTP2
        return Via.TCP if self.base_url is None else address_of(self.base_url).via
