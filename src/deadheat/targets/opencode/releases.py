"""OpenCode as a managed target: which binary, and which of its two profiles.

Rules
- All that it speaks and promises is in ``profiles/opencode-*.toml``; here is only where the binary
  comes from.
- Deleting (or forking) what is absent answers success up to some version; the rehearsal of
  ``drive.live`` sees which, so the profiles promise the stronger one. It sees, too, whether there
  are events at all.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from deadheat.errors import UnknownTarget
from deadheat.targets.opencode.npm import fetch_binary, nearby, platform_package, versions_of
from deadheat.targets.profile.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from deadheat.drive.server.process import Launch
    from deadheat.drive.target import Target

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


@cache
def profile_of(version: str | None) -> Profile:
    """The profile of this release; an unknown one counts as old (weaker promises)."""
    match = _VERSION.match(version or "")
    newer = match is not None and (int(match[1]), int(match[2])) >= (1, 2)
    name = f"opencode-{'1.2' if newer else '1.0'}.toml"
    return Profile.model_validate(
        tomllib.loads(
            files("deadheat").joinpath("targets", "opencode", "profiles", name).read_text("utf-8")
        )
    )


def launch(name: str, program: str) -> Launch:
    """The launch of ``program``, an OpenCode of any version."""
    return profile_of(None).launch(name, None, program)


def _target(name: str, version: str | None, binary: Path) -> Target:
    return replace(profile_of(version).target(name, program=str(binary)), version=version)
