"""Artifacts: what is written is read again, in the same text; damage is said in a line."""

from __future__ import annotations

import getpass
import json
import platform
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import example, ghost
from tests.programs import programs
from tests.report import sentences

from deadheat.errors import BadArtifact, CannotSave
from deadheat.files import artifact as artifacts
from deadheat.files.artifact import FORMAT_VERSION, divergence_of, from_json, sessions_of, to_json
from deadheat.model.edits import Edit, How
from deadheat.model.grounds import AnnouncedTwice, Gave, Told, Unanswered
from deadheat.model.history import (
    Absent,
    Announcement,
    Change,
    Control,
    Created,
    Deleted,
    Fail,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
    Renamed,
    Seen,
    Stream,
    Undeclared,
    Unknown,
)
from deadheat.model.program import canonical, structure
from deadheat.model.release import Release, Via

if TYPE_CHECKING:
    from deadheat.model.program import Program

texts = st.text(max_size=8)
titles = st.none() | texts
results = st.one_of(
    st.builds(Created, texts),
    st.builds(Deleted),
    st.builds(Renamed),
    st.builds(Found, titles),
    st.builds(Absent),
    st.builds(Listed, st.lists(st.builds(Seen, texts, titles), max_size=3).map(tuple)),
    st.builds(Undeclared, st.integers(100, 599), texts),
)
outcomes = st.one_of(
    st.builds(Ok, results),
    st.builds(Fail, texts),
    st.builds(Info, st.sampled_from(Unknown), texts),
)
places = st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
operations = st.builds(
    Operation,
    st.integers(0, 99),
    st.integers(0, 9),
    st.builds(Invocation, st.sampled_from(Kind), titles, titles),
    outcomes,
    st.integers(0, 2**62),
    st.none() | st.integers(0, 2**62),
    st.booleans(),
    places,
    st.none() | st.integers(100, 599),
)
instants = st.integers(0, 2**62)
releases = st.lists(st.builds(Release, st.integers(0, 9), instants, instants), max_size=3)
announcements = st.builds(Announcement, st.sampled_from(Change), texts, instants, titles)
streams = st.builds(Stream, st.lists(announcements, max_size=3).map(tuple), st.none() | instants)
controls = st.builds(Control, instants, instants, st.none() | instants, texts)
histories = st.builds(
    History,
    st.lists(operations, max_size=4).map(tuple),
    st.frozensets(texts, max_size=2),
    st.lists(releases.map(tuple), max_size=2).map(tuple),
    st.none() | streams,
    st.lists(controls, max_size=2).map(tuple),
)


@settings(max_examples=40)
@given(programs(), histories, texts)
def test_what_is_written_is_read_again(program: Program, history: History, reason: str) -> None:
    operation = Operation(0, 0, Invocation(Kind.LIST), Ok(Listed(())), 0, 1)
    whole = replace(
        example(),
        program=program,
        most_reliable=canonical(program),
        history=replace(history, operations=(operation, *history.operations)),
        witness=(0,),
        culprit=0,
        reason=Told(reason),
        explanation=replace(example().explanation, proof=(), counterfactual=None),
    )
    text = to_json(whole)
    again = from_json(text, "x")
    assert again == whole
    assert to_json(again) == text


def test_every_value_of_a_reason_is_read_again() -> None:
    whole = replace(example(), history=sentences.HISTORY, witness=sentences.WITNESS, culprit=5)
    why = replace(whole.explanation, proof=sentences.STEPS)
    for reason, _ in sentences.REASONS:
        for edit in (*sentences.EDITS, None):
            one = replace(whole, reason=reason, explanation=replace(why, counterfactual=edit))
            assert from_json(to_json(one), "x") == one


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"proof": (Gave(99),)}, "calls"),
        ({"proof": (AnnouncedTwice(0, 9),)}, "announcements"),
        ({"counterfactual": Edit(How.NOTHING, 99, ())}, "calls"),
        ({"reason": Unanswered(1)}, "control request"),
    ],
)
def test_a_reason_that_names_what_the_history_has_not_is_refused(
    change: dict[str, Any], word: str
) -> None:
    whole = replace(example(), history=sentences.HISTORY, witness=sentences.WITNESS, culprit=5)
    reason = change.pop("reason", whole.reason)
    whole = replace(whole, reason=reason, explanation=replace(whole.explanation, **change))
    with pytest.raises(BadArtifact, match=word):
        from_json(to_json(whole), "x")


def test_the_text_is_stable_and_readable() -> None:
    text = to_json(example())
    assert text == to_json(from_json(text, "x"))
    assert text.startswith('{\n  "format": "deadheat-artifact",\n  "format_version": 6,\n')
    assert text.endswith("}\n")
    assert '"var": "a"' in text
    keys = list(json.loads(text))
    assert keys.index("program") < keys.index("history")
    assert max(text.splitlines(), key=len).count('"invocation"') == 1  # one operation a line


def test_nothing_of_this_machine_is_inside(tmp_path: Path) -> None:
    whole = replace(example(), environment=artifacts.environment())
    text = artifacts.write(whole, tmp_path / "deep" / "er").read_text(encoding="utf-8")
    for secret in (str(tmp_path), str(Path.cwd()), platform.node()):
        assert secret not in text
    assert f'"{getpass.getuser()}"' not in text


def test_the_fingerprint_is_of_the_finding_and_not_of_offsets_or_times() -> None:
    one = example()
    assert one.filename == f"ghost-{one.fingerprint}.json"
    moved = replace(one, program=structure(one.program), rate=None, history=History(()))
    assert moved.fingerprint == one.fingerprint
    assert replace(one, signature=("delete",)).fingerprint != one.fingerprint


def test_it_is_written_whole_under_its_own_name_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = artifacts.write(example(), tmp_path)
    assert artifacts.read(path) == example()
    artifacts.write(example(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [example().filename]


def test_a_folder_that_cannot_be_written_is_the_users_mistake(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(CannotSave, match="--into"):
        artifacts.write(example(), file / "sub")
    with pytest.raises(CannotSave, match="--into"):
        artifacts.check_writable(file / "sub" / "sub")
    artifacts.check_writable(tmp_path / "new" / "er")
    assert not (tmp_path / "new").exists()


def changed(**fields: Any) -> str:
    return json.dumps(json.loads(to_json(example())) | fields)


def within(name: str, **fields: Any) -> str:
    whole = json.loads(to_json(example()))
    whole[name] |= fields
    return json.dumps(whole)


def test_the_first_formats_are_still_read() -> None:
    """The first knew no parents; the second neither events nor control requests."""
    whole = json.loads(to_json(example()))
    assert '"parent"' not in to_json(example())
    assert not {"stream", "controls"} & set(whole["history"])
    del whole["explanation"]["heard"], whole["target"]["promises"]["events"]
    for older in (1, 2, 3):
        old = from_json(json.dumps(whole | {"format_version": older}), "x")
        assert old == example()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (to_json(example())[:-40], "not complete JSON"),
        ("", "not complete JSON"),
        ("[" * 100_000, "not complete JSON"),
        ("[]", "not a deadheat artifact"),
        ("{}", "not a deadheat artifact"),
        (changed(format="other"), "not a deadheat artifact"),
        (changed(format_version=FORMAT_VERSION + 1), "Upgrade deadheat"),
        (changed(format_version="1"), "damaged"),
        (changed(format_version=None), "damaged"),
        (changed(extra=1), "damaged"),
        (within("target", extra=1), "damaged"),
        (changed(anomaly="sadness"), "damaged"),
        (changed(reason=5), "damaged"),
        (changed(proven_minimal="no"), "damaged"),
        (changed(culprit="0"), "damaged"),
        (changed(culprit=99), "witness"),
        (changed(witness=[99]), "witness"),
        (changed(witness=[]), "witness"),
        (changed(program={"rounds": "x"}), "damaged"),
        (changed(program={"rounds": []}), "without a call"),
        (changed(program={"rounds": [[[{"call": "fly"}]]]}), "damaged"),
        (
            changed(program={"rounds": [[[{"var": "a", "offset_us": 0, "call": "delete"}]]]}),
            "not known",
        ),
        (
            changed(program={"rounds": [[[{"var": "a-5", "offset_us": 0, "call": "create"}]]]}),
            "damaged",
        ),
        (within("rate", diverged=300), "its rate is impossible"),
        (within("rate", low=3.0, high=4.0), "its rate is impossible"),
        (within("rate", high=float("nan")), "its rate is impossible"),
        (within("target", timeout_s=float("nan")), "cannot be kept"),
        (within("target", timeout_s=0), "cannot be kept"),
        (within("target", timeout_s=1e300), "cannot be kept"),
        (within("target", settle_ms=-1), "cannot be kept"),
        (within("target", settle_ms=10**15), "cannot be kept"),
        (within("target", promises={"delete": "maybe"}), "damaged"),
        (changed(history=None), "damaged"),
    ],
)
def test_damage_is_one_line_that_says_what_to_do(text: str, word: str) -> None:
    with pytest.raises(BadArtifact) as caught:
        from_json(text, "some.json")
    message = str(caught.value)
    assert word in message
    assert message.startswith("some.json ")
    assert "\n" not in message
    assert message.endswith(".")


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(BadArtifact, match="does not exist"):
        artifacts.read(tmp_path / "no.json")
    with pytest.raises(BadArtifact, match="cannot be read"):
        artifacts.read(tmp_path)
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadArtifact, match="cannot be read"):
        artifacts.read(binary)


def test_the_recorded_divergence_comes_back() -> None:
    _, divergence = ghost()
    assert divergence_of(from_json(to_json(example()), "x")) == divergence


def test_sessions_are_named_by_their_creates() -> None:
    execution, _ = ghost()
    assert sessions_of(execution.program, execution.history) == {"a": "ses_a", "b": "ses_b"}
    lost = replace(
        execution.history,
        operations=tuple(
            replace(op, outcome=Info(Unknown.RESET)) if op.index == 0 else op
            for op in execution.history.operations
        ),
    )
    assert sessions_of(execution.program, lost) == {"b": "ses_b"}


def test_what_the_requests_went_over_is_in_the_file_where_it_is_not_plain_tcp() -> None:
    plain = example()
    assert '"via"' not in to_json(plain)  # an older deadheat reads it
    for via in Via:
        changed = replace(plain, target=replace(plain.target, via=via))
        assert from_json(to_json(changed), "x").target.via is via
