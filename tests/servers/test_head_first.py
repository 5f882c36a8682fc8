"""Servers that act before the whole request is in are silent; so are they in ``tests/zoo``.

A handler starts when it has the head. Were a request with a body held at the end of its body, all
that the handler does before it reads that would lie before the recorded interval.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.quality.hunting import hunt

from deadheat.drive.live import open_target
from deadheat.model.history import Ok
from deadheat.model.program import Create, Delete, List, Program, Rename, Var
from deadheat.model.verdict import Linearizable
from deadheat.run.judge import judge
from deadheat.targets.catalog import resolve

pytestmark = pytest.mark.live
HERE = Path(__file__).parent
A = Var(0)
# So long after the other one that an answer lies between a head that is in and its body.
LATE_US = 4_000
MADE_BESIDE_A_LIST = Program((((Create(A, LATE_US),), (List(),)),))
RENAMED_BESIDE_A_DELETE = Program((((Create(A),),), ((Delete(A),), (Rename(A, LATE_US),))))


def profile(name: str, folder: Path, *, racy: bool = False) -> Path:
    """The profile of ``head``, ``half`` or ``look`` (Starlette), in ``folder``."""
    source = HERE / ("look_first.toml" if name == "look" else "head_first.toml")
    text = source.read_text("utf-8").replace("{project}", str(HERE))
    if name == "look":
        text = text.replace("[server]", '[server]\nenv = { CARTS = "racy" }') if racy else text
    else:
        text = text.replace('"head"', f'"{name}"')
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["head", "half", "look"])
@pytest.mark.parametrize("program", [MADE_BESIDE_A_LIST, RENAMED_BESIDE_A_DELETE])
async def test_what_it_does_before_it_has_the_body_is_in_the_interval(
    name: str, program: Program, tmp_path: Path
) -> None:
    async with open_target(resolve(str(profile(name, tmp_path))), "run") as live:
        for _ in range(20):
            done, death = await live.execute(program)
            assert all(isinstance(op.outcome, Ok) for op in done.history.operations)
            assert isinstance(judge(done, death, live.promises), Linearizable)


def test_a_search_is_silent(tmp_path: Path) -> None:
    one = hunt(resolve(str(profile("look", tmp_path))), 1, tmp_path, programs=60, shrink=False)
    assert one.error is None
    assert one.first is None
    assert one.summary.overlaps > 40


def test_its_racy_twin_is_found(tmp_path: Path) -> None:
    path = profile("look", tmp_path, racy=True)
    assert hunt(resolve(str(path)), 1, tmp_path, programs=300, shrink=False).first is not None
