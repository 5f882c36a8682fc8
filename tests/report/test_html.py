"""The pages: self-contained, strict, escaped; and the drawing has the measured times."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.examples import example

from deadheat.files.results import CampaignFinding, CampaignRecord, Sample
from deadheat.model.grounds import Told
from deadheat.model.history import Kind, Listed, Ok, Seen
from deadheat.report import charts
from deadheat.report.campaign import campaign_text
from deadheat.report.html import campaign_page, example_page
from deadheat.report.reasons import reasons_of
from deadheat.report.timeline import WIDTH, drawing_of
from deadheat.trials.coverage import Overlap, Pairing, Relation, Sequence, Silence

EVIL = "<script>alert(1)</script>"
GHOST = Path("found/ghost.json")


class Page(HTMLParser):
    """Tags with their attributes, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def record(**changes: object) -> CampaignRecord:
    pairing = Pairing(Kind.DELETE, Kind.GET, Relation.SAME)
    overlap = Overlap(pairing, Sequence.OVERTAKEN, Sequence.KEPT)
    finding = CampaignFinding(
        "ghost (delete)", example(), GHOST, True, True, 100, 7, 7, 12.0, 50.0, 31,
        picture=((100, 1, 20), (700, 5, 20)),
    )  # fmt: skip
    samples = tuple(
        Sample(10.0 * n, 100 * n, 900 * n, n, n > 2, 0, 1, 10**8, 10**7) for n in range(7)
    )
    whole = CampaignRecord(
        target="demo", promises="delete idempotent", seed=7, folder=Path("x y"),
        began="2026-01-01 00:00:00", elapsed_s=61.0, ended="time",
        kinds=("create", "delete", "get", "list"), families=False,
        totals={"programs": 600, "requests": 5_400, "trials": 800, "drawn get": 3},
        findings=(finding,), samples=samples, seen={overlap: 12},
        silence={pairing: Silence(300, 0)}, last_new=40, log=("1 s  began",),
    )  # fmt: skip
    return replace(whole, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("page", [campaign_page(record()), example_page(example(), GHOST)])
def test_nothing_from_outside_and_a_policy_that_forbids_it(page: str) -> None:
    parsed = Page(page)
    for tag, attributes in parsed.tags:
        assert tag not in ("link", "img", "iframe", "object", "base"), tag
        assert "src" not in attributes
        assert "style" not in attributes, (tag, attributes)
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    policy = next(a["content"] for t, a in parsed.tags if a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


@pytest.mark.parametrize("page", [campaign_page(record()), example_page(example(), GHOST)])
def test_each_line_of_the_proof_leads_to_the_bars_of_its_calls(page: str) -> None:
    tags = Page(page).tags
    rows = [a["id"] for tag, a in tags if tag == "div" and "row" in (a.get("class") or "").split()]
    assert len(rows) == len(set(rows))
    links = [a["href"] for tag, a in tags if tag == "a" and "-call-" in (a.get("href") or "")]
    named = [f"-call-{n}" for line in reasons_of(example()).proof for n in line.calls]
    assert named == ["-call-3", "-call-4", "-call-4", "-call-3"]
    for link, ending in zip(links, named, strict=True):
        assert link is not None
        assert link.endswith(ending)
        assert link[1:] in rows


def test_a_sentence_of_an_older_file_stands_there_without_a_link() -> None:
    old = replace(example().explanation, proof=(Told("{0} is there."),))
    page = example_page(replace(example(), explanation=old), GHOST)
    assert "<li>b is there.</li>" in page


def test_what_a_server_says_stays_text() -> None:
    artifact = example()
    culprit = artifact.history.operations[artifact.culprit]
    listed = replace(culprit, outcome=Ok(Listed((Seen(f"ses_{EVIL}", EVIL),))))
    history = replace(
        artifact.history,
        operations=tuple(listed if op is culprit else op for op in artifact.history.operations),
    )
    evil = replace(artifact, history=history, reason=Told(f"{{0}} {EVIL}"), about=(EVIL,))
    found = replace(record().findings[0], artifact=evil, key=EVIL)
    for page in (
        example_page(evil, Path(f"{EVIL}.json")),
        campaign_page(record(findings=(found,), target=EVIL, log=(EVIL,), promises=EVIL)),
    ):
        assert EVIL not in page
        assert "&lt;script&gt;" in page
        assert sum(tag == "script" for tag, _ in Page(page).tags) == 1


def test_bars_are_where_the_times_are() -> None:
    drawing = drawing_of(example())
    calls = [row.call for row in drawing.rows]
    assert calls[:4] == ["a = create()", "b = create()", "delete(a)", "delete(b)"]
    for row in drawing.rows:
        assert 0 <= row.left <= WIDTH
        assert row.left + row.width <= WIDTH + 4
    lefts = [row.left for row in drawing.rows]
    assert lefts == sorted(lefts)
    (culprit,) = (row for row in drawing.rows if row.culprit)
    assert culprit.step is None
    assert drawing.order
    assert "deleted" in drawing.breaks


def test_an_idle_stretch_is_drawn_short_and_said() -> None:
    artifact = example()
    late = tuple(
        replace(op, call_ns=op.call_ns + 10**6, return_ns=(op.return_ns or 0) + 10**6)
        if op.at_rest
        else op
        for op in artifact.history.operations
    )
    artifact = replace(artifact, history=replace(artifact.history, operations=late))
    cut = max(drawing_of(artifact).cuts, key=lambda cut: float(cut.text.split()[0]))
    assert cut.width < WIDTH / 10
    assert "1.0 ms without a call" in cut.text


def test_a_cell_never_seen_is_shown_as_such() -> None:
    matrix = charts.matrix_of(record())
    row = next(row for row in matrix.rows if row.first == "delete")
    cells = {matrix.kinds[n]: cell for n, cell in enumerate(row.cells)}
    get = cells["get"]
    assert get is not None
    assert [(cell.relation, cell.seen) for cell in get] == [
        ("same session", "12"),
        ("other session", "never"),
    ]
    assert "overtaken 12×" in get[0].answered
    assert "would have been seen (99 %)" in get[0].silence
    reads = next(row for row in matrix.rows if row.first == "get")
    assert reads.cells[matrix.kinds.index("list")] is None
    assert (matrix.seen, matrix.possible) == (1, 15)


def test_a_running_campaign_loads_itself_again_and_an_ended_one_does_not() -> None:
    assert "data-running" in campaign_page(record(ended="")).split("<head>")[0]
    assert "data-running" not in campaign_page(record()).split("<head>")[0]


def test_a_campaign_of_nothing_is_a_page_too() -> None:
    empty = record(findings=(), samples=(), seen={}, silence={}, totals={}, kinds=(), elapsed_s=0.0)
    assert "None" in campaign_page(empty)


def test_the_last_words_name_everything_and_how_to_go_on() -> None:
    said = campaign_text(record(), Path("x/report.html"), proves=True)
    assert "diverges in 11.5 % of trials" in said
    assert "7 of 100 programs that could show it did" in said
    assert "plateau: nothing new since program 40" in said
    assert "1 of 15 pairs of calls have overlapped" in said
    assert "quiet in 300 trials; a race showing in 1.5 % of them would have been seen" in said
    quiet = campaign_text(record(findings=()), Path("r"), proves=True)
    assert "clean: 0 of 600 programs diverged in which calls raced" in quiet
    assert "proves nothing" in campaign_text(record(findings=()), Path("r"), proves=False)
