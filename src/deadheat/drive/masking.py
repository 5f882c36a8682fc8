"""Removes the secrets that we sent from what a server answers.

Rules
- A server may echo a secret: in an error, a title, an id, its log. It is replaced where the answer
  becomes an outcome, before anything is judged, shown or stored.
- What this run wrote itself (the mark that titles and chosen ids begin with) stays as it is: it
  holds no secret, and a title that was changed here would be a false alarm. What a server put
  behind it is the server's.
- A session whose id has a secret in it cannot be spoken of: as if its answer was garbled.
- A secret of fewer than ``redaction.SHORTEST`` characters would be found everywhere, and is not
  looked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deadheat.files.redaction import INSTEAD, spellings
from deadheat.model.history import (
    Answered,
    Created,
    Found,
    Info,
    Listed,
    Offspring,
    Ok,
    Outcome,
    Seen,
    Undeclared,
    Unknown,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

# ``drive.ownership``: the run's token, the trial's number, and then a session's name.
_OURS = re.compile(r"deadheat([ -])[0-9a-f]{1,16}\1[0-9]+\1")


@dataclass(frozen=True, slots=True)
class Mask:
    """Hides ``secrets``, the longest first."""

    secrets: tuple[str, ...] = field(default=(), repr=False)

    @staticmethod
    def of(secrets: Iterable[str]) -> Mask:
        """A mask for these secrets in every spelling (see ``redaction``), if they can be found."""
        return Mask(spellings(secrets))

    def text(self, text: str) -> str:
        """The text without secrets."""
        for secret in self.secrets:
            if secret in text:
                text = text.replace(secret, INSTEAD)
        return text

    def outcome(self, outcome: Outcome) -> Outcome:
        """The outcome without secrets."""
        if not self.secrets:
            return outcome
        match outcome:
            case Ok(Created(session)) if self._written(session) != session:
                return Info(Unknown.GARBLED, "an id with a secret in it")
            case Ok(Found(str() as title)):
                return Ok(Found(self._written(title)))
            case Ok(Listed(entries)):
                return Ok(Listed(self._seen(entries)))
            case Ok(Offspring(entries)):
                return Ok(Offspring(self._seen(entries)))
            case Ok(Undeclared(status, detail)):
                return Ok(Undeclared(status, self.text(detail)))
            case Ok(Answered(value)):
                return Ok(Answered(self.text(value)))
            case Info(reason, detail):
                return Info(reason, self.text(detail))
            case _:
                return outcome

    def _seen(self, entries: tuple[Seen, ...]) -> tuple[Seen, ...]:
        return tuple(
            replace(
                entry,
                session=self._written(entry.session),
                title=None if entry.title is None else self._written(entry.title),
            )
            for entry in entries
        )

    def _written(self, text: str) -> str:
        ours = _OURS.match(text)
        if ours is None:
            return self.text(text)
        return ours[0] + self.text(text[ours.end() :])
