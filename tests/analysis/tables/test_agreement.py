"""Agreement item by item, on simulated items."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.data.items import ItemScores
from analysis.report import agreement_text
from analysis.statistics.items.agreement import (
    agreement,
    same_wrong_answer,
)
from analysis.tables.agreement import item_agreement
from study.config.analysis import Contrast
from tests.analysis.samples import (
    IN_CONTEXT,
    X,
    Y,
    one_task,
    right_or_wrong,
)


def table_of(sides: dict[str, Any], **more: Any) -> pd.DataFrame:
    scores, items = one_task(sides, **more)
    frame = item_agreement(scores, [IN_CONTEXT], items)
    assert set(frame["group"]) == {"all tasks", "facts", "exposure: seen_task"}
    return frame[frame["group"] == "all tasks"].set_index("quantity")


def test_the_same_items_are_solved() -> None:
    same = right_or_wrong(0, 3, 1, 200)
    rows = table_of({X: same, Y: same})
    assert rows.loc["base_given_tuned", "estimate"] == 1
    assert rows.loc["kappa", "estimate"] == 1
    assert rows.loc[["gained", "lost", "only_tuned"], "estimate"].eq(0).all()


def test_shares_are_those_of_each_pair_together() -> None:
    x, y = right_or_wrong(1, 3, 1, 400, share=0.7), right_or_wrong(2, 3, 1, 400, share=0.4)
    rows = table_of({X: x, Y: y})
    by_hand = (x * y).sum() / y.sum()
    assert rows.loc["base_given_tuned", "estimate"] == pytest.approx(by_hand)
    low, high = rows.loc["base_given_tuned", ["low", "high"]]
    assert low < 0.7 < high
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.7 * 0.3 / y.sum()), rel=0.2)
    each = [agreement(a[0], b[0]) for a, b in zip(x, y, strict=True)]
    assert rows.loc["gained", "estimate"] == pytest.approx(np.mean([a.gained for a in each]))
    for bound in ("kappa", "kappa_least", "kappa_most"):
        expected = np.mean([getattr(a, bound) for a in each])
        assert rows.loc[bound, "estimate"] == pytest.approx(expected)


def test_every_draw_and_arm_of_the_base_counts_as_an_attempt() -> None:
    y = np.ones((3, 1, 4))
    few = np.zeros((3, 2, 4))
    few[:, 0, 0] = few[:, 1, 1] = 1.0
    zero = np.zeros((3, 1, 4))
    zero[:, 0, 2] = 1.0
    rows = table_of({X: few, Y: y, "base-0shot": zero})
    assert rows.loc["only_tuned", "estimate"] == 0.25
    assert rows.loc["base_given_tuned", "estimate"] == 0.25


def test_what_is_undefined_stays_empty() -> None:
    rows = table_of({X: right_or_wrong(0, 3, 1, 20), Y: np.zeros((3, 1, 20))})
    assert np.isnan(rows.loc["base_given_tuned", "estimate"])
    assert "undefined" in rows.loc["base_given_tuned", "note"]
    rows = table_of({X: np.ones((3, 1, 20)), Y: np.ones((3, 1, 20))})
    assert np.isnan(rows.loc["kappa", "estimate"])
    assert rows.loc["kappa", "note"] == "undefined for 3 of 3"


def test_scores_other_than_0_and_1_are_skipped() -> None:
    scores, items = one_task({X: np.full((3, 1, 5), 0.5), Y: np.ones((3, 1, 5))})
    frame = item_agreement(scores, [IN_CONTEXT], items)
    assert frame.empty
    assert agreement_text(frame) == ""


def test_the_same_wrong_answer_is_counted_where_both_are_wrong() -> None:
    x, y = right_or_wrong(3, 3, 1, 90), right_or_wrong(4, 3, 1, 90)
    rng = np.random.default_rng(5)
    choices = {arm: rng.integers(0, 4, (3, 1, 90)) for arm in (X, Y)}
    rows = table_of({X: x, Y: y}, choices=choices)
    wrong = [int(((a[0] == 0) & (b[0] == 0)).sum()) for a, b in zip(x, y, strict=True)]
    shares = [
        same_wrong_answer(x[i, 0], y[i, 0], choices[X][i, 0], choices[Y][i, 0]) for i in range(3)
    ]
    row = rows.loc["same_wrong"]
    assert row["estimate"] == pytest.approx(np.average(shares, weights=wrong))
    assert row["low"] < row["estimate"] < row["high"]
    unknown = table_of({X: x, Y: y}).loc["same_wrong"]
    assert np.isnan(unknown["estimate"])
    assert "not recorded" in unknown["note"]


def test_copies_of_an_item_in_one_passage_do_not_narrow_the_interval() -> None:
    """Four copies of every item, told to be one passage each: the answers of a quarter."""
    x, y = right_or_wrong(6, 3, 1, 100), right_or_wrong(7, 3, 1, 100, share=0.7)
    once = table_of({X: x, Y: y})
    four = {arm: np.repeat(of, 4, axis=2) for arm, of in ((X, x), (Y, y))}
    together = table_of(four, passages={i: i // 4 for i in range(400)})
    alone = table_of(four)
    assert (together["n_clusters"] == 100).all()
    quantities = ["base_given_tuned", "gained", "kappa", "tuned_less_base"]
    for quantity in quantities:
        estimates = [rows.loc[quantity, "estimate"] for rows in (once, together, alone)]
        assert estimates[1:] == pytest.approx([estimates[0]] * 2)
        width = [
            rows.loc[quantity, "high"] - rows.loc[quantity, "low"]
            for rows in (once, together, alone)
        ]
        assert width[1] == pytest.approx(width[0], rel=0.01)
        assert width[2] == pytest.approx(width[0] / 2, rel=0.15)


def test_the_difference_of_one_task_is_the_paired_t_test() -> None:
    x, y = right_or_wrong(8, 3, 2, 80), right_or_wrong(9, 3, 1, 80, share=0.65)
    row = table_of({X: x, Y: y}).loc["tuned_less_base"]
    expected = stats.ttest_rel(y.mean((0, 1)), x.mean((0, 1)))
    assert row["p"] == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))


def test_the_interval_of_kappa_has_its_asymptotic_width() -> None:
    """For independent answers κ's standard error is about 1/√n."""
    x, y = right_or_wrong(10, 3, 1, 400), right_or_wrong(11, 3, 1, 400)
    row = table_of({X: x[:1].repeat(3, 0), Y: y[:1].repeat(3, 0)}).loc["kappa"]
    assert row["estimate"] == pytest.approx(agreement(x[0, 0], y[0, 0]).kappa)
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 / 20, rel=0.1)


def test_different_items_are_not_compared() -> None:
    scores, items = one_task({X: right_or_wrong(0, 3, 1, 20), Y: right_or_wrong(1, 3, 1, 20)})
    shifted = replace(items.by_arm_and_task[Y, "t"], items=np.arange(1, 21))
    moved = ItemScores({**items.by_arm_and_task, (Y, "t"): shifted})
    assert not item_agreement(scores, [IN_CONTEXT], items).empty
    assert item_agreement(scores, [IN_CONTEXT], moved).empty


def test_contrasts_of_different_tasks_are_as_each_alone() -> None:
    control = Contrast(name="control", x="base-0shot", y=Y)
    first, first_items = one_task(
        {X: right_or_wrong(0, 3, 1, 20), Y: right_or_wrong(1, 3, 1, 20)},
    )
    arms = (X, Y, "base-0shot")
    second, second_items = one_task(
        {arm: right_or_wrong(i, 3, 1, 30) for i, arm in enumerate(arms)}
    )
    scores = pd.concat([first, second.assign(task="u")], ignore_index=True)
    of_second = {(arm, "u"): of for (arm, _), of in second_items.by_arm_and_task.items()}
    items = ItemScores({**first_items.by_arm_and_task, **of_second})
    together = item_agreement(scores, [IN_CONTEXT, control], items)
    alone = [item_agreement(scores, [contrast], items) for contrast in (IN_CONTEXT, control)]
    pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True), check_exact=True)
    tasks = together[together["group"] == "all tasks"].groupby("contrast")["n_tasks"].max()
    assert tasks.to_dict() == {"control": 1, IN_CONTEXT.name: 2}
