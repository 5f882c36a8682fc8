"""Proves that no order of the witness is legal, in steps made of its own calls.

Rules
- The proof is a set of forced "before" constraints that end in a circle. Forced are:
  real time (answered before the other was called), what an answer shows (after its
  create or rename, before its delete), and, where an absence has several possible
  reasons, the one that the others rule out.
- Where more than one reason stays possible the proof goes through the cases.
- Complete for histories in which every answer is one of the session API's; when it
  finds nothing in ``LIMIT`` steps it says so rather than half a proof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.check.explain.constraints import Choice, Facts, Option
from deadheat.check.fragment import Fragment, Proof, fragment_of
from deadheat.model.grounds import Absurd, Constraint, Follows, RuledOut, Suppose

if TYPE_CHECKING:
    from deadheat.model.grounds import Step
    from deadheat.model.history import History
    from deadheat.model.promises import Promises

# A witness has some 3 to 7 calls; a proof that needs more than this is unreadable anyway.
LIMIT = 400


class _Lost(Exception):
    """The proof became too long."""


def prove(core: History, sessions: tuple[str, ...], promises: Promises) -> tuple[Step, ...]:
    """The steps of the proof, in order; empty where none was found."""
    fragment = fragment_of(core, promises)
    if not isinstance(fragment, Fragment) or fragment.proof in (Proof.NONE, Proof.PLACES):
        return ()
    facts = Facts(core, sessions, promises, again=fragment.proof is Proof.CLAIMS)
    if facts.direct is not None:
        return (facts.direct,)
    if fragment.proof is Proof.CLAIMS:
        return ()
    return _Prover(facts).run()


class _Prover:
    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.steps = 0

    def run(self) -> tuple[Step, ...]:
        try:
            steps = self._refute(list(self.facts.forced), list(self.facts.choices))
        except _Lost:
            return ()
        return _each_once(steps or [])

    def _refute(self, known: list[Constraint], choices: list[Choice]) -> list[Step] | None:
        """Steps that end in a cycle, or None when there is none."""
        self.steps += 1
        if self.steps > LIMIT:
            raise _Lost
        circle = _circle(known)
        if circle is not None:
            return [Follows(edge) for edge in circle]
        for n, choice in enumerate(choices):
            left: list[Option] = []
            ruled_out: list[tuple[list[Constraint], Option]] = []
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
            reasons = [_ruled_out(option, loop) for loop, option in ruled_out]
            rest = self._refute([*known, *left[0]], others)
            if rest is None:
                return None
            used = {Follows(edge) for edge in left[0]}
            return [*reasons, *rest] if not used.isdisjoint(rest) else rest
        for n, choice in enumerate(choices):  # through the cases
            others = choices[:n] + choices[n + 1 :]
            steps: list[Step] = []
            for option in choice.options:
                rest = self._refute([*known, *option], others)
                if rest is None:
                    break
                steps += [Suppose(option[0]), *rest, Absurd()]
            else:
                return steps
        return None


def _each_once(steps: list[Step]) -> tuple[Step, ...]:
    """The steps without repetitions; each case keeps its end."""
    told: dict[Step, None] = {}
    kept: list[Step] = []
    for step in steps:
        if isinstance(step, Absurd) or step not in told:
            kept.append(step)
        told[step] = None
    return tuple(kept)


def _ruled_out(option: Option, loop: list[Constraint]) -> RuledOut:
    """Why ``option`` cannot hold: the rest of the cycle that it would close."""
    claim = next((edge for edge in option if edge in loop), option[0])
    return RuledOut(claim, tuple(edge for edge in loop if edge not in option))


def _circle(edges: list[Constraint], through: Option = ()) -> list[Constraint] | None:
    """A shortest cycle of "before" (one through ``through``, if given)."""
    by_before: dict[int, list[Constraint]] = {}
    for edge in edges:
        by_before.setdefault(edge.before, []).append(edge)
    best: list[Constraint] | None = None
    for start in through or edges:
        paths: dict[int, list[Constraint]] = {start.after: [start]}
        queue = [start.after]
        while queue:
            here = queue.pop(0)
            if here == start.before:
                if best is None or len(paths[here]) < len(best):
                    best = paths[here]
                break
            for edge in by_before.get(here, ()):
                if edge.after not in paths:
                    paths[edge.after] = [*paths[here], edge]
                    queue.append(edge.after)
    return best
