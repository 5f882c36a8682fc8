"""The words for results are as they were when they were classes' names, and each has one."""

from __future__ import annotations

from typing import get_args

from deadheat.files.artifact_tags import TAGS
from deadheat.model import history
from deadheat.model.answer_word import word_of

MADE: dict[type, history.Result] = {
    history.Created: history.Created("7"),
    history.Found: history.Found(),
    history.Listed: history.Listed(()),
    history.Offspring: history.Offspring(()),
    history.Undeclared: history.Undeclared(302),
    history.Answered: history.Answered("full"),
}


def test_a_result_is_told_by_the_word_that_files_have_for_it() -> None:
    _, words = TAGS["result"]
    for kind in get_args(history.Result):
        result = MADE[kind] if kind in MADE else kind()
        assert word_of(result) == words[kind]
