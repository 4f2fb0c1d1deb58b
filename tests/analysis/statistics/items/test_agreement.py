"""Agreement item by item: identities and published examples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
