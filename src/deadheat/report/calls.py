"""How a call and an answer are spelt, wherever people read them.

Rules
- ``names`` gives an id the name that the program has for it; an id without a name stands as it is.
- As code (``delete(b)``, ``list()``) in diagrams; in sentences a list is ``the list``, what a call
  made stands before it, and calls of one sentence that would read the same are numbered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from deadheat.model.answer_word import word_of
from deadheat.model.history import (
    READING,
    Absent,
    Answered,
    Begun,
    Created,
    Custom,
    Deleted,
    Exists,
    Fail,
    Found,
    Info,
    Kind,
    Listed,
    Offspring,
    Ok,
    Operation,
    Renamed,
    Undeclared,
    Unknown,
)
from deadheat.model.program import (
    Children,
    Create,
    CustomCall,
    Delete,
    Fork,
    Get,
    List,
    Recreate,
    Rename,
    kind_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deadheat.model.history import Place
    from deadheat.model.program import Call


def described(call: Call) -> str:
    """A call of a program: ``a = create()``, ``delete(a)``, ``list()``."""
    match call:
        case Create(var):
            below = "" if call.parent is None else f"parent={call.parent.name}"
            return f"{var.name} = {_applied('create', below)}"
        case Fork(var, source):
            return f"{var.name} = {_applied('fork', source.name)}"
        case Delete(var) | Get(var) | Rename(var) | Children(var) | Recreate(var):
            return _applied(kind_of(call), var.name)
        case List():
            return _applied("list")
        case CustomCall(custom, var):
            return _applied(custom.name, var.name, custom.argument)
        case _:
            assert_never(call)


def call_text(op: Operation, names: Mapping[str, str]) -> str:
    """A call that was sent: ``delete(b)``, ``list()``."""
    asked = op.invocation
    name = "" if asked.session is None else names.get(asked.session, asked.session)
    match op.kind:
        case Kind.CREATE:
            above = asked.parent
            return _applied("create", "" if above is None else f"parent={names.get(above, above)}")
        case Kind.LIST:
            return _applied("list")
        case Kind.GET | Kind.DELETE | Kind.RENAME | Kind.CHILDREN | Kind.FORK | Kind.RECREATE:
            return _applied(op.kind.value, name)
        case Kind.CUSTOM | Kind.OWN:
            custom = asked.custom or Custom("own")
            return _applied(custom.name, name, custom.argument)
        case _:
            assert_never(op.kind)


def _applied(kind: str, *arguments: str) -> str:
    return f"{kind}({', '.join(filter(None, arguments))})"


def call_with_result(
    op: Operation, names: Mapping[str, str], made: Mapping[Place | None, str]
) -> str:
    """``a = create()``, ``list() at rest``. ``made``: the names of what each place makes."""
    text = call_text(op, names)
    session = _session_made(op)
    if session is not None:
        text = f"{made.get(op.place, names.get(session, session))} = {text}"
    return f"{text} at rest" if op.at_rest else text


class Sentences:
    """The names of a witness's calls in sentences: ``the list at rest``, ``delete(a) #2``."""

    def __init__(self, witness: Iterable[Operation], names: Mapping[str, str]) -> None:
        self._names = names
        # A read without an answer says nothing, and so is in no sentence.
        spoken = [op for op in witness if not (isinstance(op.outcome, Info) and op.kind in READING)]
        spoken.sort(key=lambda op: (op.call_ns, op.index))
        texts = [self._plain(op) for op in spoken]
        self._numbered: dict[int, str] = {}
        for n, (op, text) in enumerate(zip(spoken, texts, strict=True)):
            if texts.count(text) > 1:
                number = texts[: n + 1].count(text)
                self._numbered[op.index] = text.replace("the list", "list") + f" #{number}"

    def spelt(self, op: Operation) -> str:
        """The call within a sentence."""
        return self._numbered.get(op.index) or self._plain(op)

    def without_result(self, op: Operation) -> str:
        """The same, without the session that it made."""
        return self.spelt(op).removeprefix(self._made(op))

    def _plain(self, op: Operation) -> str:
        rest = " at rest" if op.at_rest else ""
        match op.kind:
            case Kind.LIST:
                return f"the list{rest}"
            case Kind.RENAME:
                session = op.invocation.session or ""
                name = self._names.get(session, session)
                return _applied("rename", name, op.invocation.title or "")
            case Kind.RECREATE if op.invocation.session is not None:  # it says which one
                return call_text(op, self._names)
            case _:
                return f"{self._made(op)}{call_text(op, self._names)}{rest}"

    def _made(self, op: Operation) -> str:
        session = _session_made(op)
        return "" if session is None else f"{self._names.get(session, session)} = "


def _session_made(op: Operation) -> str | None:
    match op.outcome:
        case Ok(Created(session)):
            return session
        case _:
            return None


def capital(text: str) -> str:
    """The text as the beginning of a sentence; a call keeps its spelling."""
    begins = ("the ", "list ", "no ", "if ")
    return text[:1].upper() + text[1:] if text.startswith(begins) else text


def answer_text(op: Operation, names: Mapping[str, str]) -> str:
    """The answer in a few words, with its status."""
    match op.outcome:
        case Fail(reason) if op.status is not None:
            return f"{op.status} {reason}"
        case Fail(reason):
            return f"not sent ({reason})"
        case Info(Unknown.SERVER_ERROR, detail):
            return f"{op.status} {detail}".strip()
        case Info(Unknown.UNCLEAR, detail):
            return f"{op.status} unclear {detail}".strip()
        case Info(reason, _):
            return f"no answer ({reason})"
        case Ok(result):
            pass
        case _:
            assert_never(op.outcome)
    match result:
        case Created() | Exists() | Deleted() | Renamed() | Found() | Absent():
            return f"{op.status or ''} {word_of(result)}".strip()
        case Listed(entries) | Offspring(entries):
            shown = [names.get(entry.session, entry.session) for entry in entries]
            return f"[{', '.join(sorted(shown))}]"
        case Undeclared(status, detail):
            return f"{status} {detail}".strip()
        case Answered(value):
            return f"{op.status or ''} {value}".strip()
        case Begun():
            return word_of(result)
        case _:
            assert_never(result)
