"""The secrets that this process knows, hidden by value in whatever it writes or prints.

Rules
- ``hide`` is called where a secret enters the process, ``hidden`` last of all before a text leaves
  it (``media`` does, and what writes files): a server may give away what it was sent anywhere.
- A secret is found as it is and as the formats that are written spell it: percent-encoded, base64,
  and escaped for JSON, HTML, Markdown and the shell.
- One of fewer than ``SHORTEST`` characters would be found everywhere, and is not looked for. One of
  fewer than ``_ANYWHERE`` is often a word or a port as well, so here it is hidden only where it
  stands by itself (a hash, a longer number or a name that has it inside stays whole). What a server
  says has been through ``drive.masking`` before, which spares nothing.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORTEST = 4
INSTEAD = "***"
_ANYWHERE = 8
# What the environment of any process says, and what a server is commonly started with: these are
# folders and names that stand in our own words, too, and none of them lets anybody in.
COMMONPLACE = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "TMPDIR", "TEMP", "TMP", "LANG", "LANGUAGE",
     "TZ", "TERM", "HOST", "HOSTNAME", "PORT", "VIRTUAL_ENV", "PYTHONPATH", "NODE_PATH", "NODE_ENV",
     "GOPATH", "GOROOT", "JAVA_HOME", "LD_LIBRARY_PATH"}
)  # fmt: skip


def spellings(secrets: Iterable[str]) -> tuple[str, ...]:
    """Each of these, as far as it can be looked for, as every format spells it; longest first."""
    found: set[str] = set()
    for secret in secrets:
        if len(secret) < SHORTEST:
            continue
        encoded = secret.encode(errors="surrogatepass")
        once = {
            secret,
            quote(encoded),
            quote(encoded, safe=""),
            base64.b64encode(encoded).decode(),
            base64.urlsafe_b64encode(encoded).decode(),
            json.dumps(secret)[1:-1],
            repr(secret)[1:-1],
        }
        # .NET encodes in lower case, PHP's JSON escapes slashes, templates number their entities.
        once |= {re.sub("%..", lambda found: found[0].lower(), one) for one in once if "%" in one}
        once.add(json.dumps(secret)[1:-1].replace("/", "\\/"))
        once |= {
            html.escape(secret).replace("/", slash).replace("=", equal).replace("&#x27;", mark)
            for slash in ("/", "&#x2F;")
            for equal in ("=", "&#x3D;", "&#61;")
            for mark in ("&#x27;", "&#39;")
        }
        once |= {html.escape(one) for one in once} | {html.escape(one, quote=False) for one in once}
        found |= once
        found |= {shlex.quote(one)[1:-1] for one in once if "'" in one}
        found |= {re.sub(r"([\\`*_\[\]|#~])", r"\\\1", one) for one in once}
    return tuple(sorted(found, key=lambda one: (-len(one), one)))


class _KnownSecrets:
    """All that was given to ``hide``, and the expression that finds it."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self.wanted: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        if len(secret) < SHORTEST or secret in self.secrets:
            return
        self.secrets.add(secret)
        parts = [
            re.escape(one)
            if len(one) >= _ANYWHERE
            else rf"(?<![A-Za-z0-9]){re.escape(one)}(?![A-Za-z0-9])"
            for one in spellings(self.secrets)
        ]
        self.wanted = re.compile("|".join(parts))

    def clear(self) -> None:
        self.secrets.clear()
        self.wanted = None


_KNOWN = _KnownSecrets()


def hide(secret: str) -> None:
    """From now on this is in nothing that ``hidden`` gives."""
    _KNOWN.add(secret)


def hidden(text: str) -> str:
    """The same without a secret."""
    wanted = _KNOWN.wanted
    return text if wanted is None else wanted.sub(INSTEAD, text)


def forget() -> None:
    """Nothing is secret any more: for tests, which share one process."""
    _KNOWN.clear()
