"""The words of versions, bisections, verifications and explanations."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.examples import example, ghost

from deadheat.errors import UnknownTarget
from deadheat.files.results import Bisected, Presence, Verified, VersionRow
from deadheat.model.raced import Unraced, UnracedReason
from deadheat.report.comparison import (
    bisected_text,
    verified_text,
    versions_json,
    versions_table,
)
from deadheat.report.explanation import explanation_text
from deadheat.targets.catalog import several
from deadheat.targets.opencode.npm import released
from deadheat.trials.evidence import AbsentBelow, Present, Unproven
from deadheat.trials.stats import rate

ROWS = (
    VersionRow("opencode@1.0.152", Presence.PRESENT, 200, 20, rate=rate(20, 200)),
    VersionRow("opencode@1.2.1", Presence.NOT_SEEN, 383, 0, rate=rate(0, 383), below=0.012),
    VersionRow("opencode@9.9.9", Presence.NOT_COMPARABLE, why="npm has no such version"),
    VersionRow("demo", Presence.DIFFERENT, 90, 0, rate=rate(0, 90), why="wrong-status (list 404)"),
)


def test_a_row_a_version_with_its_verdict() -> None:
    head, *lines = versions_table(ROWS).splitlines()
    assert head.split() == ["version", "trials", "diverged", "rate", "(95", "%)", "verdict"]
    assert lines[0].endswith("10 % (6.2–15 %)  present")
    assert lines[1].endswith("not seen: below 1.2 % at 99 %")
    assert lines[2].endswith("not comparable: npm has no such version")
    assert lines[3].endswith("different divergence: wrong-status (list 404)")
    told = versions_json(example(), ROWS)["versions"]
    assert isinstance(told, list)
    assert [row["verdict"] for row in told] == [row.standing.value for row in ROWS]


def test_the_release_named_is_the_first_good_or_the_first_bad_one() -> None:
    fixed = Bisected("opencode@1.1.34", "opencode@1.1.53", (), True, 0.01)
    assert bisected_text(fixed).splitlines()[0] == "first good: opencode@1.1.53"
    assert "1 % of the time" in bisected_text(fixed)
    broken = replace(fixed, fixed=False)
    assert bisected_text(broken).splitlines()[0] == "first bad: opencode@1.1.34"
    some = replace(fixed, skipped=("opencode@1.1.40",))
    assert "first good: one of opencode@1.1.40, opencode@1.1.53" in bisected_text(some)


def test_fixed_says_what_would_have_been_seen_and_only_then() -> None:
    _, divergence = ghost()
    quiet = Verified("demo:correct", AbsentBelow(0.02), 0.99, None, "", "", (0, 264), (0, 0))
    text = verified_text(example(), "x.json", quiet)
    assert text.startswith("fixed  x.json on demo:correct (99 %)")
    assert "a race showing in 2 % of trials or more would have been seen" in text
    shown = replace(quiet, evidence=Present(), seen=divergence, new=(1, 9))
    assert verified_text(example(), "x.json", shown).startswith("not fixed  x.json diverges")
    other = replace(quiet, seen=divergence)
    assert "but another divergence shows there: ghost" in verified_text(example(), "x", other)
    beside = replace(
        quiet, evidence=AbsentBelow(None), baseline="demo", old=(17, 264), incomparable="slow"
    )
    assert "17 of 264 on demo in between" in verified_text(example(), "x", beside)
    refused = Unraced(UnracedReason.REFUSED, "create", 409)
    lost = replace(quiet, evidence=Unproven(1, 98, 65, unraced=((refused, 64),)))
    text = verified_text(example(), "x", lost)
    assert text.startswith("not comparable  x on demo:correct: 1 of 65 trials raced")
    assert "64 did not race: create was refused with 409" in text
    assert "would have been seen" not in text


def test_explained_is_every_place_that_is_none() -> None:
    text = explanation_text(example())
    assert "what no order can place: list() at rest, which answered [b]" in text
    assert "the longest order that works: b = create() → delete(b)" in text
    assert "came right after delete(b), it would show [] of these, and it showed [b]" in text
    assert "before delete(b): but delete(b) had been answered" in text


def test_a_list_of_targets_shares_its_family() -> None:
    assert several("opencode@1.0.152, 1.2.1,latest") == (
        "opencode@1.0.152",
        "opencode@1.2.1",
        "opencode@latest",
    )
    mixed = several("demo,opencode@1.0.0,http://127.0.0.1:1,1.2.1,demo:correct")
    assert mixed[2:] == ("http://127.0.0.1:1", "opencode@1.2.1", "demo:correct")
    for wrong, word in (("demo,", "empty"), ("opencode@1.0.0,1.0.0", "twice")):
        with pytest.raises(UnknownTarget, match=word):
            several(wrong)


def test_releases_are_in_the_order_of_their_numbers() -> None:
    mixed = ("1.10.0", "1.2.27", "0.0.0-dev-1", "1.2.4")
    assert released(mixed) == ("1.2.4", "1.2.27", "1.10.0")
