"""How the data of ``model`` is spelt in files: types checked exactly, unions by their tags.

Rule: nothing is guessed. A key too many, a value of another type, a tag that is not in
``artifact_tags`` is an error.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any

from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_tagged_union

from deadheat.files.artifact_tags import TAGS
from deadheat.model.grounds import Counterfactual
from deadheat.model.history import History, Invocation
from deadheat.model.program import Create, CustomCall, Var
from deadheat.model.promises import Promises

if TYPE_CHECKING:
    import cattrs


def model_converter() -> cattrs.Converter:
    """Reads and writes programs, histories, promises and reasons; raises what cattrs raises."""
    converter = make_converter(forbid_extra_keys=True, detailed_validation=False)
    for kind in (int, float, str, bool):
        converter.register_structure_hook(kind, _exactly)
    converter.register_unstructure_hook(Var, lambda var: var.name)
    converter.register_unstructure_hook_func(  # a set has no order of its own
        lambda kind: kind == frozenset[str], sorted
    )
    converter.register_structure_hook(Var, lambda name, _: _var(name))
    absent = override(omit_if_default=True)  # most have neither: a line is long enough
    converter.register_unstructure_hook(
        Create, make_dict_unstructure_fn(Create, converter, parent=absent)
    )
    # The files' word for a custom call; so it is in the tags.
    named, kept = override(rename="own"), override(rename="own", omit_if_default=True)
    converter.register_unstructure_hook(
        Invocation, make_dict_unstructure_fn(Invocation, converter, parent=absent, custom=kept)
    )
    converter.register_unstructure_hook(
        CustomCall, make_dict_unstructure_fn(CustomCall, converter, custom=named)
    )
    for holder in (Invocation, CustomCall):
        reading = make_dict_structure_fn(
            holder,
            converter,
            _cattrs_forbid_extra_keys=True,
            _cattrs_detailed_validation=False,
            custom=named,
        )
        converter.register_structure_hook(holder, reading)
    promised = make_dict_unstructure_fn(
        Promises, converter, get=absent, update=absent, status_on_absent=absent
    )
    converter.register_unstructure_hook(Promises, promised)
    # A union after those that its members hold.
    for key, (union, words) in TAGS.items():
        configure_tagged_union(union, converter, tag_name=key, tag_generator=words.__getitem__)
    _may_be_absent(converter, Counterfactual)
    converter.register_unstructure_hook(
        History, make_dict_unstructure_fn(History, converter, stream=absent, controls=absent)
    )
    return converter


def _may_be_absent(converter: cattrs.Converter, union: Any) -> None:
    """A tagged union whose value may be missing, too: null in the file."""
    missing = union | None
    converter.register_structure_hook(
        missing, lambda value, _: None if value is None else converter.structure(value, union)
    )
    converter.register_unstructure_hook(
        missing, lambda value: None if value is None else converter.unstructure(value, union)
    )


def _exactly(value: Any, kind: Any) -> Any:
    """A value of just this type: cattrs would turn ``"no"`` into True. A whole float may be int."""
    if issubclass(kind, Enum):  # a hook for str takes every StrEnum, too
        return kind(value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"{str(value)[:40]!r} is not a {kind.__name__}")
    return value


_NAME = re.compile(r"([a-z])([1-9][0-9]{0,5})?")


def _var(name: Any) -> Var:
    match = _NAME.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        raise ValueError(f"{name!r} is not a session name")
    return Var(int(match[2] or 0) * 26 + ord(match[1]) - ord("a"))
