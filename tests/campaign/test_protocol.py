"""Lines between coordinator and workers: what goes in comes out."""

from __future__ import annotations

import pytest

from deadheat.campaign import protocol


@pytest.mark.parametrize(
    "said",
    [
        protocol.Begin("demo", None, False, 7, 100, 0, (100, 700)),
        protocol.Share(3, 500, 17),
        protocol.CountFinding("ghost", "{}", True, 9, 3),
        protocol.ForgetFinding("ghost"),
        protocol.SeenElsewhere(("a/b/c", "d")),
        protocol.Pursue("ghost", '{"a": "é\\n"}', 12.5),
        protocol.Stop(),
        protocol.Hello(protocol.versions(), 1, "here"),
        protocol.Ready("promises", ("create",), True),
        protocol.WorkDone(
            1, 2, 3, {"programs": 1}, {}, {}, {"x": 2}, {"y": (3, 1)}, {"z": (1, 0)}, 5
        ),
        protocol.BetterExample("ghost", "{}", True, True, ((100, 1, 20), (200, 2, 30))),
        protocol.Failed("TargetDied", "it died.", 3, "a\nb"),
        protocol.WorkerEnded(),
    ],
    ids=lambda said: type(said).__name__,
)
def test_a_line_means_what_was_said(said: protocol.WorkerOrder | protocol.Message) -> None:
    line = protocol.to_line(said)
    assert "\n" not in line
    back = protocol.from_line(line)
    assert type(back) is type(said)
    assert protocol.to_line(back) == line


@pytest.mark.parametrize("line", ["", "x", "[]", '{"say":"Nothing"}', '{"say":"Share"}', "3"])
def test_what_is_no_line_of_ours_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="no line of protocol"):
        protocol.from_line(line)


def test_a_dict_of_pairs_stays_usable() -> None:
    line = protocol.to_line(protocol.WorkDone(0, 0, 0, {}, {}, {}, {}, {"p": (2, 1)}, {}))
    (counts,) = protocol.from_line(line).silence.values()
    assert tuple(counts) == (2, 1)
