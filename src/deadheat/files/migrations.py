"""Turns artifacts of earlier versions into the present format.

Rules
- Plain JSON values in, plain JSON values out: no class of today, which would change under it.
- A step a change of shape. What an old file does not know is given the value that says so;
  nothing is guessed at, and nothing that it does know is lost.
- A new optional field needs no step: cattrs takes its default. One that is renamed, split or
  required does, and a file in ``tests/artifacts`` of the commit before it.
"""

from __future__ import annotations

from typing import Any

# The first files of format 1 (until the checker carried its proof) explained nothing.
_UNEXPLAINED: dict[str, Any] = {
    "proof": [],
    "counterfactual": "",
    "also_fits": [],
    "first_impossible": None,
    "strongest_promise_held": "",
    "slack_ns": None,
    "lists": [],
}

# Where no edit made the history legal, files of before said this in its place.
_NO_EDIT = "no single edit"


# From here on the reasons are values; before they were sentences.
_VALUES_FROM = 6


def migrated(whole: dict[str, Any], version: int) -> dict[str, Any]:
    """``whole``, a file of format ``version``, in the present format."""
    if version == 1:
        whole = _explained(whole)
    explanation = whole.get("explanation")
    if isinstance(explanation, dict) and explanation.get("counterfactual") == _NO_EDIT:
        whole = {**whole, "explanation": {**explanation, "counterfactual": ""}}
    return _as_told(whole) if version < _VALUES_FROM else whole


def _as_told(whole: dict[str, Any]) -> dict[str, Any]:
    """What was a sentence stays one. What is no text stays as it is, and is refused as damaged."""

    def told(text: Any, kind: str) -> Any:
        return {"text": text, kind: "told"} if isinstance(text, str) else text

    if "reason" in whole:
        whole = {**whole, "reason": told(whole["reason"], "reason")}
    explanation = whole.get("explanation")
    if not isinstance(explanation, dict):
        return whole
    explanation = dict(explanation)
    if isinstance(proof := explanation.get("proof"), list):
        explanation["proof"] = [told(line, "step") for line in proof]
    if "counterfactual" in explanation:
        legal_if = explanation["counterfactual"]
        explanation["counterfactual"] = None if legal_if == "" else told(legal_if, "edit")
    return {**whole, "explanation": explanation}


def _explained(whole: dict[str, Any]) -> dict[str, Any]:
    if "explanation" in whole:
        return whole
    return {**whole, "explanation": dict(_UNEXPLAINED)}
