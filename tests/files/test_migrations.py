"""A file of every shape that an artifact ever had, as the commit that wrote it wrote it.

``format-N-COMMIT.json``: what that commit's own ``to_json`` makes of its own example. The others
were recorded on the real server by the commit before they were added.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.examples import example
from tests.export.exported import recipe_of

from deadheat.check.checker import check
from deadheat.export.markdown import markdown
from deadheat.files import artifact as artifacts
from deadheat.files.artifact import FORMAT_VERSION, divergence_of, from_json, to_json
from deadheat.files.migrations import migrated
from deadheat.model.grounds import Told
from deadheat.model.verdict import Anomaly, Diverged
from deadheat.report.explanation import explanation_text
from deadheat.report.finding import finding_text
from deadheat.report.html import example_page
from deadheat.report.reasons import reasons_of

CORPUS = sorted(Path(__file__).parents[1].joinpath("artifacts").glob("*.json"))
by_file = pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)


def test_every_format_is_in_the_corpus() -> None:
    """Whoever raises the version adds a file that the old one wrote."""
    formats = {json.loads(path.read_text())["format_version"] for path in CORPUS}
    assert formats == set(range(1, FORMAT_VERSION + 1))


@by_file
def test_it_is_read_and_nothing_of_it_is_lost(path: Path) -> None:
    old = json.loads(path.read_text())
    read = artifacts.read(path)
    today = json.loads(to_json(read))
    for key in set(old) - {"format_version", "target", "history", "explanation", "reason"}:
        assert today[key] == old[key], key
    told = isinstance(old["reason"], str)
    assert today["reason"] == ({"text": old["reason"], "reason": "told"} if told else old["reason"])
    for key, value in old["target"].items():
        if key != "promises":
            assert today["target"][key] == value
    assert today["target"]["promises"].items() >= old["target"]["promises"].items()
    assert len(read.history.operations) == len(old["history"]["operations"])
    assert from_json(to_json(read), "x") == read


@by_file
def test_it_still_proves_what_it_recorded_and_can_be_told(path: Path) -> None:
    read = artifacts.read(path)
    verdict = check(read.history, read.target.promises)
    assert isinstance(verdict, Diverged)
    recorded = divergence_of(read).signature
    assert recorded in {one.signature for one in verdict.all}
    assert finding_text(read, path).startswith(read.anomaly)
    of_no_order = read.anomaly in {Anomaly.DUPLICATE_EVENT, Anomaly.HANG}
    told = explanation_text(read)
    assert ("what no order can place" in told) != of_no_order
    assert ("what went wrong: " in told) == of_no_order
    assert not (of_no_order and "no place is left" in told)
    assert "answer that it is not there, and it answered 201 created" not in told


def test_what_explained_nothing_is_explained_by_its_own_history() -> None:
    old = next(path for path in CORPUS if "explanation" not in json.loads(path.read_text()))
    told = artifacts.read(old).explanation
    assert told.proof
    assert not any(isinstance(step, Told) for step in told.proof)
    assert told.counterfactual


@by_file
def test_its_sentences_stay_as_they_stand_there(path: Path) -> None:
    """Up to format 5 files told in words why no order is legal; every report prints them so."""
    old, read = json.loads(path.read_text()), artifacts.read(path)
    names = {f"{{{n}}}": read.names.get(one, one) for n, one in enumerate(read.about)}

    def named(text: str) -> str:
        for hole, name in names.items():
            text = text.replace(hole, name)
        return text

    reasons = reasons_of(read)
    if old["format_version"] > 5:
        assert not any(isinstance(step, Told) for step in read.explanation.proof)
        return
    assert reasons.reason == named(old["reason"])
    if "explanation" in old:
        told = old["explanation"]
        assert [line.text for line in reasons.proof] == [named(line) for line in told["proof"]]
        assert reasons.legal_if == named(told["counterfactual"])


def test_a_step_leaves_the_file_alone_and_the_present_format_needs_none() -> None:
    whole = json.loads(to_json(example()))
    assert migrated(whole, FORMAT_VERSION) is whole
    bare = {"format": 1}
    assert "explanation" in migrated(bare, 1)
    assert bare == {"format": 1}


def test_where_no_edit_helps_no_report_says_that_one_would() -> None:
    """Files of before said so in words, which every report put behind "it would be legal if"."""
    old = json.loads(to_json(example()))
    old |= {"format_version": 5, "reason": "{0} is there"}
    old["explanation"] |= {"proof": ["{0} is there."], "counterfactual": "no single edit"}
    read = from_json(json.dumps(old), "x")
    shown = (
        finding_text(read, Path("x.json")),
        explanation_text(read),
        example_page(read, Path("x.json")),
        markdown(recipe_of(read), "x.json", with_script=False),
    )
    for text in shown:
        assert "no single edit" not in text
        assert "be legal if" not in text
