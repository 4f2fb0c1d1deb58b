"""Equality with the gold answer after normalisation."""

from __future__ import annotations

from study.config.scorers import Answers
from study.scorers.exact_match import ExactMatch

ANSWERS = Answers(choose="exact")


def test_answers_are_compared_normalised() -> None:
    scorer, options = ExactMatch(), ["red fox", "blue whale"]
    assert scorer.score("Blue  whale.", "blue whale", options, ANSWERS) == 1
    assert scorer.score("a blue whale", "blue whale", options, ANSWERS) == 0
    assert scorer.score("", "blue whale", options, ANSWERS) == 0


def test_chance_and_options() -> None:
    assert ExactMatch().chance([4, 2]) == 0
    assert not ExactMatch().needs_options
