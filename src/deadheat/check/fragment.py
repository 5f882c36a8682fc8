"""One table: which decider fits which history, and what can be said of an impossible one.

Rules
- ``fragment_of`` reads what the choice depends on (``Traits``); the first row of ``TABLE`` that
  fits them is the answer. No other module chooses between deciders or explainers.
- What only the reading of titles can tell stays with the decider: it raises ``Unfit`` (two
  makers may have given one title), and the search decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from deadheat.model.history import Answered, Created, Exists, Fail, Info, Kind, Ok
from deadheat.model.promises import CreatePromise, IdPromise
from deadheat.model.verdict import Obstacle

if TYPE_CHECKING:
    from deadheat.model.history import History
    from deadheat.model.promises import Promises

_CREATE, _RECREATE = Kind.CREATE, Kind.RECREATE
_GET, _LIST, _DELETE = Kind.GET, Kind.LIST, Kind.DELETE
# What ``Decider.LIVES`` knows of. A kind that is new is the search's until that one knows it, too.
_OF_LIVES = (_CREATE, _RECREATE, _DELETE, _GET, _LIST, Kind.RENAME)
_OF_FAMILIES = tuple(kind for kind in Kind if kind not in (*_OF_LIVES, Kind.CUSTOM))


class Decider(Enum):
    """The procedure that says whether a legal order exists."""

    LIVES = auto()  # one life an id, none below another: greedy, then the order of the lists
    SEARCH = auto()  # Wing-Gong over the sequential specification
    CUSTOM = auto()  # the sessions first, then the search with the marks of custom calls


class Proof(Enum):
    """The procedure that says why none exists."""

    CONSTRAINTS = auto()  # what the calls force, ending in a circle
    CLAIMS = auto()  # two creates that both claim one id or name; else nothing
    PLACES = auto()  # of a custom call: each place among the others, and why it has none
    NONE = auto()  # answers count as given earlier, or not at all: times would mislead


class Traits(NamedTuple):
    """The properties of a history and its promises that the choice depends on."""

    custom: bool = False  # a custom call, or a refusal by its mark
    meant: bool = True  # its target has said what custom calls mean
    families: bool = False  # a call whose meaning depends on a parent, or on a source
    again: bool = False  # an id may live twice, or two creates ask for one name
    real_time: bool = True  # each answer counts as given, at some instant of its call


@dataclass(frozen=True, slots=True)
class Fragment:
    """``places``: may it be tried where the culprit could stand? ``events``: may the stream be
    judged, session by session?"""

    decider: Decider
    proof: Proof
    places: bool
    events: bool


@dataclass(frozen=True, slots=True)
class Unsupported:
    """The history cannot be judged, and why."""

    why: Obstacle


class FragmentRow(NamedTuple):
    """A row of the table. ``where``: the traits that it needs; the others may be either."""

    where: dict[str, bool]
    then: Fragment | Unsupported


_LIVES, _SEARCH, _CUSTOM = Decider.LIVES, Decider.SEARCH, Decider.CUSTOM

TABLE = (
    FragmentRow(
        {"custom": True, "meant": False},
        Unsupported(Obstacle.MEANING),
    ),
    FragmentRow(
        {"custom": True, "families": True},
        Unsupported(Obstacle.FAMILIES),
    ),
    FragmentRow(
        {"custom": True, "again": True}, Fragment(_CUSTOM, Proof.PLACES, places=False, events=False)
    ),
    FragmentRow({"custom": True}, Fragment(_CUSTOM, Proof.PLACES, places=False, events=True)),
    FragmentRow(
        {"again": True, "real_time": False},
        Fragment(_SEARCH, Proof.NONE, places=False, events=False),
    ),
    FragmentRow({"again": True}, Fragment(_SEARCH, Proof.CLAIMS, places=True, events=False)),
    FragmentRow(
        {"families": True, "real_time": False},
        Fragment(_SEARCH, Proof.NONE, places=False, events=True),
    ),
    FragmentRow({"families": True}, Fragment(_SEARCH, Proof.CONSTRAINTS, places=True, events=True)),
    FragmentRow({"real_time": False}, Fragment(_LIVES, Proof.NONE, places=False, events=True)),
    FragmentRow({}, Fragment(_LIVES, Proof.CONSTRAINTS, places=True, events=True)),
)


def row_of(traits: Traits) -> FragmentRow:
    """The first row that fits."""
    said = traits._asdict()
    return next(row for row in TABLE if row.where.items() <= said.items())


_BY_TRAITS = {
    traits: row_of(traits).then
    for traits in map(Traits._make, product((False, True), repeat=len(Traits._fields)))
}

_LIVES_FIT = {
    (traits.families, traits.again): isinstance(then, Fragment) and then.decider is _LIVES
    for traits, then in _BY_TRAITS.items()
    if not traits.custom
}


def fragment_of(
    history: History, promises: Promises, *, meant: bool = True
) -> Fragment | Unsupported:
    """The row of ``history`` under ``promises``. ``meant``: see ``Traits``."""
    return _BY_TRAITS[traits_of(history, promises, meant=meant)]


def decider_of(history: History, promises: Promises) -> Decider | None:
    """The decider, if the meaning of custom calls is known; None: none can decide."""
    found = _BY_TRAITS[traits_of(history, promises)]
    return found.decider if isinstance(found, Fragment) else None


def lives_fit(history: History, promises: Promises) -> bool:
    """Does ``Decider.LIVES`` decide the history, given that it has no custom call?"""
    again = not promises.one_life and lives_again(history, promises)
    return _LIVES_FIT[has_families(history), again]


def traits_of(history: History, promises: Promises, *, meant: bool = True) -> Traits:
    """The traits of ``history`` under ``promises``."""
    custom = False
    for op in history.operations:
        outcome = op.outcome
        if op.invocation.custom is not None:
            custom = True
        elif type(outcome) is Ok and type(outcome.result) is Answered:
            custom = True  # refused by a mark
    again = not promises.one_life and lives_again(history, promises)
    return Traits(custom, meant, has_families(history), again, promises.by_real_time)


def has_families(history: History) -> bool:
    """Does any call depend on a parent or on a fork's source?

    This runs on every trial, and on every part of a history that is asked about.
    """
    for op in history.operations:
        asked = op.invocation
        kind = asked.kind
        if kind is _GET or kind is _DELETE or kind is _LIST:
            continue
        if asked.parent is not None or (kind is not _CREATE and kind in _OF_FAMILIES):
            return True
    return False


def lives_again(history: History, promises: Promises) -> bool:
    """Can an id have lived more than once here, or have two creates used one name?"""
    asked: set[str] = set()
    given: set[str] = set()
    for op in history.operations:
        if (op.kind is not _CREATE and op.kind is not _RECREATE) or isinstance(op.outcome, Fail):
            continue
        name = op.invocation.session or op.invocation.title
        unknown = isinstance(op.outcome, Info)
        if promises.create is not CreatePromise.NEW and name is not None:
            told = isinstance(op.result, Exists)
            if told or name in asked:
                return True
            asked.add(name)
        if unknown and (op.invocation.session is not None or promises.ids is IdPromise.REUSED):
            return True
        if isinstance(op.result, Created):
            if op.result.session in given:
                return True
            given.add(op.result.session)
    return False
