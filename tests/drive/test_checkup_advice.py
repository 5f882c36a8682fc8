"""What to write in a profile for an answer that is not what it declares."""

from __future__ import annotations

import pytest

from deadheat.drive.checkup_advice import advice
from deadheat.model.history import Created, Invocation, Kind, Ok, Undeclared

CREATE = Invocation(Kind.CREATE, title="deadheat 1a2b3c 0 check 1")


@pytest.mark.parametrize("status", [409, 423, 429])
def test_a_status_that_often_says_not_now_may_be_a_refusal(status: int) -> None:
    told = advice(CREATE, Ok(Undeclared(status)), status, (), Created)
    assert f"calls.create.refused = [{status}]" in told


@pytest.mark.parametrize("status", [400, 404, 422])
def test_another_is_no_success(status: int) -> None:
    told = advice(CREATE, Ok(Undeclared(status)), status, (), Created)
    assert "refused" not in told
    assert "calls.create.request" in told
