"""Why no order of the witness is legal: a numbered proof in words, made of its calls only.

Rules
- The proof is a set of forced "before" relations that end in a circle. Forced are:
  real time (answered before the other was called), what an answer shows (after its
  create or rename, before its delete), and, where an absence has several possible
  reasons, the one that the others rule out.
- Where more than one reason stays possible the proof goes through the cases.
- Sessions stand as ``{0}``, ``{1}`` …; a call that occurs more than once is numbered.
- Complete for histories in which every answer is one of the session API's; when it
  finds nothing in ``LIMIT`` steps it says so rather than half a proof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.check.explain.constraints import Before, Choice, Facts, Option, capital
from deadheat.check.fragment import Fragment, Proof, fragment_of

if TYPE_CHECKING:
    from deadheat.model.history import History
    from deadheat.model.promises import Promises

# A witness has some 3 to 7 calls; a proof that needs more than this is unreadable anyway.
LIMIT = 400


class _Lost(Exception):
    """The proof got too long."""


def prove(core: History, sessions: tuple[str, ...], promises: Promises) -> tuple[str, ...]:
    """The lines of the proof, in order, without their numbers."""
    fragment = fragment_of(core, promises)
    if not isinstance(fragment, Fragment) or fragment.proof in (Proof.NONE, Proof.PLACES):
        return ()
    facts = Facts(core, sessions, promises, again=fragment.proof is Proof.CLAIMS)
    if facts.direct:
        return (*facts.direct, "Contradiction.")
    if fragment.proof is Proof.CLAIMS:
        return ()
    lines = _Prover(facts).run()
    return () if lines is None else lines


class _Prover:
    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.steps = 0

    def run(self) -> tuple[str, ...] | None:
        try:
            lines = self._refute(list(self.facts.forced), list(self.facts.choices))
        except _Lost:
            return None
        if lines is None:
            return None
        return (*dict.fromkeys(lines), "Contradiction.")

    def _refute(self, known: list[Before], choices: list[Choice]) -> list[str] | None:
        """Lines that end in a circle, or None when there is none."""
        self.steps += 1
        if self.steps > LIMIT:
            raise _Lost
        circle = _circle(known)
        if circle is not None:
            return [f"{capital(edge.why)}." for edge in circle]
        for n, choice in enumerate(choices):
            left: list[Option] = []
            ruled_out: list[tuple[list[Before], Option]] = []
            for option in choice.options:
                loop = _circle([*known, *option], through=option)
                if loop is None:
                    left.append(option)
                else:
                    ruled_out.append((loop, option))
            if len(left) > 1:
                continue
            others = choices[:n] + choices[n + 1 :]
            if not left:  # none can be: take the one that is hardest to rule out as read
                ruled_out.sort(key=lambda pair: len(pair[0]))
                left = [ruled_out.pop()[1]]
            reasons = [self._because(option, loop) for loop, option in ruled_out]
            rest = self._refute([*known, *left[0]], others)
            if rest is None:
                return None
            used = {f"{capital(edge.why)}." for edge in left[0]}
            return [*reasons, *rest] if used & set(rest) else rest
        for n, choice in enumerate(choices):  # through the cases
            others = choices[:n] + choices[n + 1 :]
            lines: list[str] = []
            for option in choice.options:
                rest = self._refute([*known, *option], others)
                if rest is None:
                    break
                lines += [f"Suppose {option[0].why}:", *rest, "That cannot be."]
            else:
                return lines
        return None

    def _because(self, option: Option, loop: list[Before]) -> str:
        """Why ``option`` is out: the rest of the circle that it would close."""
        spelt = self.facts.spelt
        rest = [edge for edge in loop if edge not in option]
        whys = "; ".join(edge.why for edge in rest)
        claim = next((edge for edge in option if edge in loop), option[0])
        first, second = spelt[claim.first], spelt[claim.second]
        return f"{capital(first)} cannot come before {second}: {whys}."


def _circle(edges: list[Before], through: Option = ()) -> list[Before] | None:
    """A shortest circle of "before" (one through ``through``, if given)."""
    by_first: dict[int, list[Before]] = {}
    for edge in edges:
        by_first.setdefault(edge.first, []).append(edge)
    best: list[Before] | None = None
    for start in through or edges:
        paths: dict[int, list[Before]] = {start.second: [start]}
        queue = [start.second]
        while queue:
            here = queue.pop(0)
            if here == start.first:
                if best is None or len(paths[here]) < len(best):
                    best = paths[here]
                break
            for edge in by_first.get(here, ()):
                if edge.second not in paths:
                    paths[edge.second] = [*paths[here], edge]
                    queue.append(edge.second)
    return best
