"""A campaign's list is short: what is probably more of the same stands below it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.examples import example
from tests.programs import TWO_DELETES, A, B, C, one
from tests.report.test_html import record

from deadheat.files.results import CampaignFinding, grouped
from deadheat.model.program import Create, Delete, Get, Program
from deadheat.model.verdict import Anomaly
from deadheat.report.campaign import campaign_text
from deadheat.report.html import campaign_page

if TYPE_CHECKING:
    from deadheat.model.program import Lane

TWO_CREATES = (((Create(A),),), ((Create(B),),))


def racing(*lanes: Lane) -> Program:
    return Program((*TWO_CREATES, lanes))


def finding(
    key: str,
    program: Program,
    at_s: float,
    *,
    settled: bool = True,
    anomaly: Anomaly = Anomaly.GHOST,
) -> CampaignFinding:
    artifact = replace(example(), program=program, anomaly=anomaly)
    path = Path(f"found/{key.replace(' ', '-')}.json")
    return CampaignFinding(key, artifact, path, settled, settled, 9, 4, 4, at_s, at_s, 3)


SMALL = finding("small", TWO_DELETES, 30)
MORE = finding("more", racing((Delete(A),), (Delete(B),), (Get(A),)), 10)
RAW = finding("raw", racing((Delete(A), Get(A)), (Delete(B),)), 5, settled=False)
ELSE = finding("else", racing((Create(C),), (Get(A),)), 20)
NAMED = finding("named", racing((Delete(A),), (Delete(B),)), 1, anomaly=Anomaly.ORPHAN)


def keys(findings: list[CampaignFinding]) -> list[tuple[str, list[str]]]:
    return [(group.head.key, [one.key for one in group.variants]) for group in grouped(findings)]


def test_what_races_more_is_a_variant_whichever_came_first() -> None:
    assert keys([RAW, MORE, SMALL]) == [("small", ["more", "raw"])]
    assert keys([SMALL, MORE, RAW]) == [("small", ["more", "raw"])]


def test_another_anomaly_or_other_calls_are_no_variant() -> None:
    assert keys([SMALL, ELSE, NAMED]) == [("named", []), ("else", []), ("small", [])]


def test_nothing_is_a_variant_of_what_is_not_shrunk() -> None:
    small = replace(SMALL, settled=False)
    assert keys([small, MORE]) == [("more", []), ("small", [])]


def test_none_is_lost() -> None:
    everything = [SMALL, MORE, RAW, ELSE, NAMED]
    kept = [one for group in grouped(everything) for one in (group.head, *group.variants)]
    assert sorted(f.key for f in kept) == sorted(f.key for f in everything)
    assert grouped([]) == ()


def test_a_sequential_bug_is_no_head_of_races() -> None:
    """Nothing races in it, so everything could show it: that says nothing."""
    alone = finding("alone", one(Create(A), Delete(A)), 1)
    assert keys([alone, SMALL]) == [("alone", []), ("small", [])]


def test_the_reports_say_how_many_and_where_the_variants_are() -> None:
    whole = record(findings=(MORE, SMALL, RAW, ELSE))
    said = campaign_text(whole, Path("report.html"), proves=True)
    assert "2 distinct divergences, and 2 variants of them" in said
    assert "  more, 5 calls: found/more.json" in said
    assert "  raw, 5 calls, not shrunk: found/raw.json" in said
    page = campaign_page(whole)
    assert "<b>2</b> <span>distinct divergences</span>" in page
    assert "2 variants of ghost" in page
    assert page.index(">small</a>") < page.index(">more</a>") < page.index(">raw</a>")
