"""OpenCode as a managed target: which binary, started how, promising what.

Rules
- Hermetic: see ``drive.server`` for the home; here are OpenCode's own switches.
- Up to 1.1 sessions are files and a list reads them one by one: each session
  is right for itself, the whole is no snapshot. From 1.2 on it is one query.
- Deleting (or forking) what is absent answers success up to some version; the
  rehearsal of ``drive.live`` sees which, so the promise here is the stronger one.
- Each version announces a create and a delete once; the rehearsal sees that it does at all.
- A delete takes the children one after the other, then the session. Up to 1.1 anybody may
  see that happen: *gradual*. From 1.2 on each call ran to its end before the next one, so
  parent and children went at one instant: *atomic*, and a later release that shows a
  cascade half done has lost that.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from deadheat.core.history import SESSION_KINDS
from deadheat.core.promises import (
    CascadePromise,
    ChildrenPromise,
    DeletePromise,
    EventPromise,
    ListPromise,
    Promises,
)
from deadheat.drive.server import Launch
from deadheat.drive.target import Target
from deadheat.errors import UnknownTarget
from deadheat.targets.declared_events import OPENCODE_EVENTS
from deadheat.targets.npm import fetch_binary, nearby, platform_package, versions_of
from deadheat.targets.opencode_wire import OpenCodeWire

if TYPE_CHECKING:
    from collections.abc import Callable

_SWITCHES = (
    ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
    ("OPENCODE_DISABLE_MODELS_FETCH", "1"),
    ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1"),
    ("OPENCODE_DISABLE_DEFAULT_PLUGINS", "1"),
)
# Ready in 2-5 s on a quiet machine, several times that on a loaded one with 2 cores.
_READY_WITHIN_S = 60.0
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def released(version: str, report: Callable[[str], None]) -> Target:
    """The release ``version``, downloaded once. Raises ``FetchFailed``, ``UnknownTarget``."""
    binary = fetch_binary(platform_package(), version, "bin/opencode", report)
    found = binary.parent.name  # a tag such as latest has become a version
    return _target(f"opencode@{found}", found, binary)


def installed() -> Target:
    """The ``opencode`` on PATH. Raises ``UnknownTarget``."""
    binary = shutil.which("opencode")
    if binary is None:
        raise UnknownTarget(
            "There is no opencode on PATH. Install it, or name a release: opencode@1.0.152."
        )
    try:
        said = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as exc:
        raise UnknownTarget(
            f"The opencode on PATH does not tell its version ({type(exc).__name__}). "
            "Install it again, or name a release: opencode@1.0.152."
        ) from exc
    match = _VERSION.search(said.stdout)
    return _target("opencode", match.group() if match else None, Path(binary))


def versions_between(one: str, other: str) -> tuple[str, ...]:
    """Every release that npm has from ``one`` to ``other``, oldest first, both included.

    Raises ``UnknownTarget`` for one that npm does not have, and ``FetchFailed``.
    """
    known = versions_of(platform_package())
    for version in (one, other):
        if version not in known:
            near = ", ".join(nearby(version, known))
            raise UnknownTarget(f"npm has no OpenCode {version}. Name one it has, such as {near}.")
    low, high = sorted((known.index(one), known.index(other)))
    return known[low : high + 1]


def promises_of(version: str | None) -> Promises:
    """What this release promises; an unknown one is taken for an old one (the weaker promise)."""
    match = _VERSION.match(version or "")
    snapshot = match is not None and (int(match[1]), int(match[2])) >= (1, 2)
    return Promises(
        delete=DeletePromise.EXACTLY_ONCE,
        list=ListPromise.SNAPSHOT if snapshot else ListPromise.PER_SESSION,
        children=ChildrenPromise.CASCADE,
        cascade=CascadePromise.ATOMIC if snapshot else CascadePromise.GRADUAL,
        events=EventPromise.EXACTLY_ONCE,
    )


def launch(name: str, program: str) -> Launch:
    """How ``program``, an OpenCode of any version, is started."""
    return Launch(
        name=name,
        argv=(program, "serve", "--hostname", "127.0.0.1", "--port", "{port}"),
        env=_SWITCHES,
        git=True,
        ready_line="opencode server listening on http://",
        ready_within_s=_READY_WITHIN_S,
        probe="/session",
    )


def _target(name: str, version: str | None, binary: Path) -> Target:
    return Target(
        name=name,
        wire=OpenCodeWire(),
        version=version,
        promises=promises_of(version),
        kinds=SESSION_KINDS,
        families=True,
        launch=launch(name, str(binary)),
        events=OPENCODE_EVENTS,
    )
