"""Finds the target that a word on the command line names.

Rule: everything that can be wrong with the word is said here, in one line that
says what to write instead, before anything is started.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deadheat.drive.journal import Journal
from deadheat.drive.server.process import Launch
from deadheat.drive.target import Target
from deadheat.drive.wire.address import address_of
from deadheat.errors import RemoteRefused, UnknownTarget
from deadheat.files.redaction import hide
from deadheat.model.promises import DeletePromise, ListPromise, Promises
from deadheat.targets.demo import server as demo_server
from deadheat.targets.opencode import releases as opencode
from deadheat.targets.profile.profile import Profile, read_profile
from deadheat.targets.python.loader import load_target, named
from deadheat.targets.python.python_target import target_of

if TYPE_CHECKING:
    from collections.abc import Callable


PROFILES = ("opencode",)
STORE = Path(".deadheat")  # as the commands' --into

# word, what it is, example; shown by `deadheat targets`
KINDS = (
    (
        "demo",
        "bundled server with OpenCode's race planted; needs neither npm nor network",
        "deadheat run demo",
    ),
    (
        "demo:correct",
        "the same server without the race",
        "deadheat run demo:correct --programs 500",
    ),
    (
        "opencode@VERSION",
        "a release of OpenCode from npm, downloaded once, started and stopped",
        "deadheat run opencode@1.0.152",
    ),
    ("opencode", "the opencode on your PATH, started and stopped", "deadheat run opencode"),
    (
        "URL",
        "a server that you run yourself, with --profile: http, https or http+unix",
        "deadheat run http://127.0.0.1:4096 --profile opencode",
    ),
    (
        "FILE.toml",
        "any API described in a profile that says how to start its server, or its url",
        "deadheat run fuzz/carts.toml",
    ),
    (
        "FILE.py:CLASS",
        "an API that no profile can describe: a class with encode and decode",
        "deadheat run fuzz/tickets_target.py:Tickets",
    ),
)

_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]*\Z")


def resolve(
    word: str,
    *,
    profile: str | None = None,
    allow_remote: bool = False,
    http2: bool = False,
    store: Path = STORE,
    report: Callable[[str], None] = lambda _line: None,
) -> Target:
    """The target that ``word`` names. ``report`` is told about downloads.

    ``store``: below it is noted what is made on a server that deadheat does not start.

    Raises ``UnknownTarget``, ``RemoteRefused``, ``FetchFailed``, ``BadFile``.
    """
    if "://" in word:
        found = _by_address(word, profile, allow_remote=allow_remote, http2=http2)
        spoken_by = () if profile in PROFILES else ("--profile", str(profile))
        again = (*spoken_by, *_remote(found))
        return replace(found, journal=Journal(store, found.name, profile), again=again)
    if http2:
        raise UnknownTarget(f"--http2 goes with an https:// URL, not with {word}. Leave it out.")
    if word.endswith(".toml") and profile in (None, word):
        path = Path(word)
        spoken = read_profile(path)
        if spoken.url is not None:
            checked_url(spoken.url, allow_remote=allow_remote)
        found = spoken.target(
            _shown(path),
            base_url=None if spoken.url is None else spoken.url.rstrip("/"),
            project=path.absolute().parent,
        )
        return replace(
            found,
            journal=None if spoken.url is None else Journal(store, word),
            again=("--against", word, *_remote(found)),
        )
    if (python := named(word)) is not None and profile is None:
        file, name = python
        found = target_of(load_target(file, name), f"{_shown(file)}:{name}", file, sys.executable)
        if found.base_url is not None:
            checked_url(found.base_url, allow_remote=allow_remote)
            found = replace(found, journal=Journal(store, word))
        return replace(found, again=("--against", word, *_remote(found)))
    if profile is not None:
        raise UnknownTarget(f"--profile goes with a URL, not with {word}. Leave it out.")
    if word in ("demo", "demo:correct"):
        return demo(correct=word == "demo:correct")
    if word == "opencode":
        return opencode.installed()
    name, at, version = word.partition("@")
    if name == "opencode" and at and _VERSION.match(version):
        return opencode.released(version, report)
    raise UnknownTarget(
        f"{word!r} is not a target. Write demo, opencode@1.0.152 or a URL; "
        "`deadheat targets` shows them all."
    )


def profile_of(word: str, name: str, version: str | None, file: str | None) -> Profile:
    """The profile ``name`` of the target called ``word``; ``file``: where it is now.

    Raises ``UnknownTarget``, ``BadFile``.
    """
    if file is None and name in PROFILES:
        return opencode.profile_of(version)
    if file is None and not (word.endswith(".toml") and Path(word).exists()):
        raise UnknownTarget(
            f"the profile {name} of {word} is not here. Name its file with --profile FILE.toml."
        )
    found = opencode.profile_of(version) if file in PROFILES else read_profile(Path(file or word))
    if found.name != name:
        raise UnknownTarget(
            f"{file or word} is the profile {found.name}, and the example is of {name}. "
            "Name that one's file with --profile."
        )
    return found


def several(against: str) -> tuple[str, ...]:
    """The targets of a list: ``opencode@1.0.152,1.2.1,latest`` names three releases.

    Raises ``UnknownTarget`` when one is empty or named twice.
    """
    words: list[str] = []
    family = ""
    for part in (part.strip() for part in against.split(",")):
        bare = family and "://" not in part and not part.startswith(("demo", "opencode"))
        word = f"{family}@{part}" if bare and part else part
        if not word or word in words:
            what = f"names {word} twice" if word else "has an empty name"
            raise UnknownTarget(f"{against!r} {what}. Write opencode@1.0.152,1.2.1,latest.")
        words.append(word)
        family = word.partition("@")[0] if "@" in word and "://" not in word else family
    return tuple(words)


def demo(*, correct: bool) -> Target:
    """The bundled server, with or without its race."""
    name = "demo:correct" if correct else "demo"
    # By path: the server's environment is made from scratch and may not know the package.
    argv = (sys.executable, "-P", demo_server.__file__, "--port", "{port}")
    return Target(
        name=name,
        wire=opencode.profile_of(None).wire(),
        promises=Promises(delete=DeletePromise.EXACTLY_ONCE, list=ListPromise.SNAPSHOT),
        launch=Launch(
            name=name,
            argv=(*argv, "--correct") if correct else argv,
            ready_line="demo server listening on",
            probe="/global/health",
        ),
    )


def _by_address(word: str, profile: str | None, *, allow_remote: bool, http2: bool) -> Target:
    shown = checked_url(word, allow_remote=True)
    if http2 and not word.startswith("https:"):
        raise UnknownTarget(f"--http2 goes with an https:// URL, not with {shown}. Leave it out.")
    if profile is None:
        raise UnknownTarget(
            f"{shown} needs a profile that says how to speak to it. Add --profile FILE.toml "
            f"(`deadheat init {shown}` drafts one), or --profile opencode."
        )
    if profile not in PROFILES and not profile.endswith(".toml"):
        raise UnknownTarget(
            f"There is no profile {profile!r}. Use {', '.join(PROFILES)} or a profile's FILE.toml."
        )
    checked_url(word, allow_remote=allow_remote)
    if (password := urlsplit(word).password) is not None:
        hide(password)
    spoken = opencode.profile_of(None) if profile in PROFILES else read_profile(Path(profile))
    # ``shown`` is without user and password: names are printed and saved.
    return spoken.target(shown, base_url=urlsplit(word).geturl().rstrip("/"), http2=http2)


def checked_url(word: str, *, allow_remote: bool) -> str:
    """The address as shown, without a user. Raises ``UnknownTarget``, ``RemoteRefused``."""
    try:
        url = urlsplit(word)
        port = url.port
    except ValueError as exc:
        raise UnknownTarget(f"{word} is not a URL ({exc}). Write http://HOST:PORT.") from exc
    shown = url._replace(netloc=url.netloc.rpartition("@")[2]).geturl().rstrip("/")
    if url.query or url.fragment or port == 0 or any(c.isspace() for c in word):
        raise UnknownTarget(f"{shown} is not a server's address. Write http://HOST:PORT.")
    try:
        on_socket = address_of(word).socket_path is not None
    except ValueError as exc:
        raise UnknownTarget(
            f"{shown} is not a server's address ({exc}). Write http://HOST:PORT, "
            "https://HOST:PORT or http+unix://%2Fpath%2Fto.sock."
        ) from exc
    if not allow_remote and not on_socket and not _is_loopback(url.hostname or ""):
        raise RemoteRefused(
            f"{url.hostname} is not this machine. deadheat creates and deletes sessions there; "
            "add --allow-remote if that is what you want."
        )
    return shown


def _shown(path: Path) -> str:
    """The file's path as artifacts name it: relative to here, never absolute."""
    return Path(os.path.relpath(path)).as_posix()


def _remote(target: Target) -> tuple[str, ...]:
    return ("--allow-remote",) if is_remote(target) else ()


def is_remote(target: Target) -> bool:
    """Is its server on another machine?"""
    if target.base_url is None or address_of(target.base_url).socket_path is not None:
        return False
    return not _is_loopback(urlsplit(target.base_url).hostname or "")


def _is_loopback(host: str) -> bool:
    """Is it this machine, by its name or number alone? No name is looked up."""
    if host.lower().removesuffix(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _packed(host)[:1] == b"\x7f"
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _packed(host: str) -> bytes:
    """The bytes of an IPv4 address as the C library reads it: ``127.1``; empty for a name."""
    if not re.fullmatch(r"[0-9a-fA-FxX.]+", host):
        return b""
    try:
        return socket.inet_aton(host)
    except OSError:
        return b""
