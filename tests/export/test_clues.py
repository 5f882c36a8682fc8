"""Clues: what the exported script calls a contradiction is one, and the recorded trial is.

The script itself is loaded and judges; the checker is asked whether it may.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from tests.examples import example
from tests.export.exported import artifact_of, faulty, judged, loaded, random_program, recipe_of

from deadheat.check.checker import check
from deadheat.errors import CannotExport
from deadheat.export.clues import Clue, clues_of
from deadheat.export.scripts import script
from deadheat.model.grounds import Told
from deadheat.model.promises import DeletePromise, ListPromise, Promises
from deadheat.model.verdict import Anomaly, Diverged

PROMISES = (
    Promises(),
    Promises(delete=DeletePromise.IDEMPOTENT, list=ListPromise.PER_SESSION),
)


def test_the_ghost_is_looked_for_by_either_read_and_under_either_name() -> None:
    clues = clues_of(example())
    assert clues[-1].kind == "read"
    assert clues[-1].at_rest
    assert [clue.answer for clue in clues] == ["created", "deleted", "shown"]
    assert clues[-1].shows == (("b", None),)
    # Whether a was deleted before or after plays no part; that b's delete was over does.
    assert clues[-1].after == (0, 1)


@pytest.mark.parametrize("many", [50, pytest.param(500, marks=pytest.mark.quality)])
@pytest.mark.parametrize("promises", PROMISES, ids=str)
def test_no_false_alarm_and_the_recorded_trial_is_one(promises: Promises, many: int) -> None:
    """So many programs, 8 trials each: each divergence's script judges the other trials too."""
    rng = Random(f"clues {promises}")
    own = others = alarms = 0
    anomalies: set[Anomaly] = set()
    for _ in range(many):
        program = random_program(rng)
        trials = [faulty(program, rng) for _ in range(8)]
        verdicts = [check(history, promises) for history in trials]
        first = next((v for v in verdicts if isinstance(v, Diverged)), None)
        if first is None:
            continue
        try:
            module = loaded(artifact_of(program, first.divergence, promises))
        except CannotExport:
            continue
        anomalies.add(first.divergence.anomaly)
        assert judged(module, program, first.divergence.history) is not None
        own += 1
        for history, verdict in zip(trials, verdicts, strict=True):
            if judged(module, program, history) is not None:
                assert isinstance(verdict, Diverged), (program, history)
                alarms += 1
            others += 1
    assert own > many * 2 // 3
    assert others > alarms > own  # it sees it again in other trials, and not in all
    assert len(anomalies) >= 6, anomalies


def test_an_answer_that_is_wrong_by_itself_is_its_status() -> None:
    artifact = example()
    ops = list(artifact.history.operations)
    listed = next(op for op in ops if op.at_rest)
    alone = replace(
        artifact,
        anomaly=Anomaly.WRONG_STATUS,
        witness=(listed.index,),
        culprit=listed.index,
        history=replace(
            artifact.history,
            operations=tuple(replace(op, status=404) if op is listed else op for op in ops),
        ),
    )
    assert clues_of(alone) == (Clue("list", "status 404"),)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"anomaly": Anomaly.CRASH}, "crash"),
        ({"target": replace(example().target, settle_ms=5)}, "settle"),
    ],
)
def test_what_a_script_cannot_do_is_said(change: dict[str, object], word: str) -> None:
    artifact = replace(example(), **change)  # type: ignore[arg-type]
    with pytest.raises(CannotExport, match=word) as caught:
        script(replace(recipe_of(example()), artifact=artifact), "x.py", stdlib=True)
    assert str(caught.value).endswith(".")


def test_a_server_cannot_write_code_through_its_answers() -> None:
    """Whatever a title or reason holds stays text."""
    nasty = "x'''\"\"\"\n__import__('os').abort()\n\\"
    artifact = replace(example(), reason=Told(nasty), target=replace(example().target, name=nasty))
    for stdlib in (True, False):
        text = script(recipe_of(artifact), "repro.py", stdlib=stdlib)
        compiled = compile(text, "repro.py", "exec")
        assert "abort" not in compiled.co_names
