"""Agreement item by item: identities and published examples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.items.agreement import (
    agreement,
    error_consistency,
    item_bootstrap,
    mcnemar_p,
    only_tuned,
    same_wrong_answer,
)
from tests.analysis.samples import (
    several,
)


def test_error_consistency() -> None:
    assert error_consistency([1] * 6 + [0] * 4, [1, 1, 1, 1, 0, 0, 0, 0, 1, 0]) == pytest.approx(
        0.4
    )
    assert math.isnan(error_consistency([1, 1], [1, 1]))


@several
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_agreement(pairs: list[tuple[bool, bool]]) -> None:
    base, tuned = np.array(pairs, dtype=float).T
    result = agreement(base, tuned)
    if math.isnan(result.kappa):
        assert base.mean() == tuned.mean()
        assert base.mean() in (0, 1)
    else:
        assert result.kappa_least - 1e-12 <= result.kappa <= result.kappa_most + 1e-12
        assert error_consistency(tuned, base) == pytest.approx(result.kappa)
    assert result.gained - result.lost == pytest.approx(tuned.mean() - base.mean())
    assert math.isnan(result.base_given_tuned) == (tuned.sum() == 0)
    assert only_tuned(tuned, base) == pytest.approx(result.gained)
    assert only_tuned(tuned, [base, tuned]) == 0


def test_wrong_answers_and_paired_tests() -> None:
    base, tuned = [0, 0, 1, 0], [0, 0, 1, 1]
    assert same_wrong_answer(base, tuned, [1, 2, 0, 3], [1, 3, 0, 0]) == 0.5
    assert math.isnan(same_wrong_answer([1], [1], [0], [0]))
    assert math.isnan(mcnemar_p(base, base))
    assert mcnemar_p([0] * 8 + [1], [1] * 8 + [0]) == pytest.approx(2 * 10 / 512)
    with pytest.raises(ValueError, match=r"item 1 has 0\.5"):
        agreement([0, 0.5], [0, 1])


def test_duplicated_items_change_the_interval_unless_they_are_clustered() -> None:
    rng = np.random.default_rng(0)
    scores = (rng.random(40) < 0.6).astype(float)
    twice = np.repeat(scores, 4)

    def width(values: Any, clusters: Any) -> float:
        result = item_bootstrap(
            lambda chosen: float(values[chosen].mean()),
            len(values),
            rng=np.random.default_rng(1),
            clusters=clusters,
        )
        return result.high - result.low

    clustered = width(twice, np.repeat(np.arange(40), 4))
    assert clustered == pytest.approx(width(scores, None), rel=0.1)
    assert width(twice, None) < 0.7 * clustered


def test_shares_of_six_items() -> None:
    """Both right on 2, only the base on 1, only the tuned model on 2, none on 1."""
    base, tuned = [1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 1, 0]
    result = agreement(base, tuned)
    assert result.tuned_given_base == pytest.approx(2 / 3)
    assert result.base_given_tuned == pytest.approx(2 / 4)
    assert (result.gained, result.lost) == pytest.approx((2 / 6, 1 / 6))
    # Accuracies 1/2 and 2/3: expected agreement 1/2; observed 3/6, at least 1/6, at most 5/6.
    assert result.kappa == pytest.approx(0)
    assert (result.kappa_least, result.kappa_most) == pytest.approx((-2 / 3, 2 / 3))
    assert result.n_items == 6
    easy = agreement([1, 0, 0], [0, 1, 0])
    assert easy.kappa == pytest.approx(easy.kappa_least), "no item has to be solved by both"
    assert "an undefined share" in agreement([1, 0], [0, 0]).sentence()
    assert "solves 50 % with" in result.sentence()


def test_the_bootstrap_is_of_percentiles() -> None:
    """Numbers of successes of 50 fair items: quantiles of the binomial distribution."""
    scores = np.repeat([0.0, 1.0], 25)

    def share(chosen: np.ndarray) -> float:  # type: ignore[type-arg]
        return float(scores[chosen].mean())

    for level in (0.95, 0.5):
        rng = np.random.default_rng(0)
        interval = item_bootstrap(share, 50, rng=rng, draws=4000, level=level)
        expected = stats.binom.ppf([(1 - level) / 2, (1 + level) / 2], 50, 0.5) / 50
        assert (interval.low, interval.high) == pytest.approx(expected, abs=0.021)
        assert interval.level == level
    assert interval.covers == ("items",)


@pytest.mark.parametrize(("defined", "is_nan"), [(0.4, True), (0.6, False)])
def test_half_of_the_resamples_must_be_defined(defined: float, is_nan: bool) -> None:
    rng = np.random.default_rng(1)
    interval = item_bootstrap(
        lambda chosen: float(chosen[0]) if rng.random() < defined else math.nan,
        10,
        rng=np.random.default_rng(0),
        draws=200,
    )
    assert math.isnan(interval.low) == math.isnan(interval.high) == is_nan


def test_scores_must_be_of_the_same_items_and_one_for_each() -> None:
    with pytest.raises(ValueError, match="the same items"):
        agreement([1, 0], [1, 0, 1])
    for scores in ([], [[1, 0]]):
        with pytest.raises(ValueError, match="base must hold one score per item"):
            mcnemar_p(scores, [1])
    assert mcnemar_p([1, 1, 0], [0, 1, 0]) == 1
