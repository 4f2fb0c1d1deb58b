"""The most similar option, by chrF and by BERTScore."""

from __future__ import annotations

import pytest

from study.config.scorers import Answers
from study.scorers.option_similarity import OptionSimilarity, similarity
from study.zoo import MODELS

OPTIONS = ["red fox", "blue whale"]
CHRF = Answers(choose="similarity")
BERTSCORE = Answers(
    choose="similarity",
    similarity="bertscore",
    bertscore_model=str(MODELS / "llama-early-xs" / "base"),
    bertscore_layer=2,
)
"With an encoder that is on this machine."


def test_the_most_similar_option_counts() -> None:
    scorer = OptionSimilarity()
    assert scorer.score("a blue whale", "blue whale", OPTIONS, CHRF) == 1
    assert scorer.score("a red fo", "blue whale", OPTIONS, CHRF) == 0


def test_the_first_of_equally_similar_options_counts() -> None:
    scorer = OptionSimilarity()
    assert scorer.score("xyz", "red fox", OPTIONS, CHRF) == 1
    assert scorer.score("xyz", "blue whale", OPTIONS, CHRF) == 0


def test_similarity_is_1_for_equal_texts_only() -> None:
    same, other = similarity(CHRF)("red fox", ["red fox", "red box"])
    assert same == pytest.approx(1)
    assert 0 < other < 1


def test_bertscore() -> None:
    same, other = similarity(BERTSCORE)("a b c", ["a b c", "red fox"])
    assert same == pytest.approx(1.0, abs=1e-5)
    assert other < 0.999
    assert OptionSimilarity().score("a b c", "a b c", ["red fox", "a b c"], BERTSCORE) == 1


def test_chance_is_the_mean_over_items() -> None:
    assert OptionSimilarity().chance([4, 4, 2]) == pytest.approx(1 / 3)
    assert OptionSimilarity().needs_options
