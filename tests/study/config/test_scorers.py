"""The name of the score that the key `answers` chooses."""

from __future__ import annotations

from typing import Any

import pytest

from study.config.scorers import Answers


@pytest.mark.parametrize(
    ("settings", "metric"),
    [
        ({"choose": "exact"}, "answer_exact"),
        ({"choose": "similarity"}, "answer_similarity"),
        (
            {"choose": "similarity", "extraction": "as_released"},
            "answer_similarity_as_released",
        ),
    ],
)
def test_the_metric_names_scorer_and_extraction(settings: dict[str, Any], metric: str) -> None:
    assert Answers(**settings).metric == metric


def test_the_length_of_responses_counts_where_they_are_generated_for_a_scorer() -> None:
    assert Answers(tokens=9).generation() == {}
    answers = Answers(choose="exact", tokens=9, writing_tokens=99)
    assert answers.generation() == {"tokens": 9, "writing_tokens": 99}
