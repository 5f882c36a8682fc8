"""Hypothesis strategies for programs, and short ways to write one down."""

from __future__ import annotations

from hypothesis import strategies as st

from deadheat.model.program import Call, Create, Delete, Get, Lane, List, Program, Var, canonical

A, B, C = Var(0), Var(1), Var(2)


def one(*calls: Call) -> Program:
    """A sequential program."""
    return Program(tuple(((call,),) for call in calls))


def sequential(program: Program) -> Program:
    """The same calls in reading order with no concurrency at all."""
    return canonical(one(*program.calls()))


TWO_DELETES = Program(
    (((Create(A),),), ((Create(B),),), ((Delete(A),), (Delete(B, offset_us=700),)))
)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Valid programs, not necessarily canonical: any names, any offsets, any mix of lanes."""
    names = draw(st.permutations(range(8)))
    known: list[Var] = []
    rounds: list[tuple[Lane, ...]] = []
    for _ in range(draw(st.integers(1, 4))):
        born: list[Var] = []
        lanes: list[Lane] = []
        for _ in range(draw(st.integers(1, 3))):
            mine = list(known)
            lane: list[Call] = []
            for _ in range(draw(st.integers(1, 3))):
                offset_us = draw(st.sampled_from((0, 50, 700, 1_234)))
                kind = draw(st.sampled_from(("create", "delete", "get", "list")))
                made = len(known) + len(born)
                if kind == "create" and made < len(names):
                    var = Var(names[made])
                    born.append(var)
                    mine.append(var)
                    lane.append(Create(var, offset_us))
                elif kind in ("delete", "get") and mine:
                    var = draw(st.sampled_from(mine))
                    lane.append((Delete if kind == "delete" else Get)(var, offset_us))
                else:
                    lane.append(List(offset_us))
            lanes.append(tuple(lane))
        known += born
        rounds.append(tuple(lanes))
    return Program(tuple(rounds))
