"""A plan is told only of what it has named."""

from __future__ import annotations

import pytest

from deadheat.trials.plan import named


def test_what_was_named_is_taken_and_nothing_is_refused() -> None:
    assert named(0) == 0
    with pytest.raises(RuntimeError, match=r"call next\(\)"):
        named(None)
