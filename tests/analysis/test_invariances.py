"""No table depends on names of families, the order of rows, scales, or copies of an item."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analysis.data.items import ItemScores, TaskItems
from analysis.data.scores import with_clustered_errors
from analysis.tables.agreement import item_agreement
from analysis.tables.cell_model import cell_models
from analysis.tables.correlations import correlations
from analysis.tables.intervals import further_intervals
from analysis.tables.robustness.checks import robustness
from analysis.tables.summaries import summaries
from study.results.schema import SCORES
from tests.analysis.samples import (
    CONTRASTS,
    item_study,
)


def tables(scores: pd.DataFrame, items: ItemScores) -> dict[str, pd.DataFrame]:
    return {
        "correlations": correlations(scores, CONTRASTS, items=items),
        "by standard errors": correlations(scores, CONTRASTS),
        "robustness": robustness(scores, CONTRASTS),
        "summaries": summaries(scores, CONTRASTS),
        "cell model": cell_models(scores, CONTRASTS, items=items),
        "agreement": item_agreement(scores, CONTRASTS, items),
        "beside": further_intervals(scores, CONTRASTS, kinds=["bca", "fisher"]),
    }


def renamed(scores: pd.DataFrame, items: ItemScores) -> tuple[pd.DataFrame, ItemScores]:
    names = {f"f{i}": f"g{i}" for i in range(5)}
    return scores.assign(family=scores["family"].map(names)).astype(SCORES), items


def shuffled(scores: pd.DataFrame, items: ItemScores) -> tuple[pd.DataFrame, ItemScores]:
    rng = np.random.default_rng(0)
    answers = {}
    for at, own in items.by_arm_and_task.items():
        order = rng.permutation(15)
        names = tuple(own.pairs[i] for i in order)
        answers[at] = TaskItems(names, own.items, own.scores[order])
    return scores.sample(frac=1, random_state=3), ItemScores(answers)


SAME: dict[str, Callable[[pd.DataFrame, ItemScores], tuple[pd.DataFrame, ItemScores]]] = {
    "families renamed": renamed,
    "rows shuffled": shuffled,
}


@pytest.fixture(scope="module")
def before() -> dict[str, pd.DataFrame]:
    return tables(*item_study())


@pytest.mark.parametrize("what", SAME)
def test_every_table_stays(what: str, before: dict[str, pd.DataFrame]) -> None:
    after = tables(*SAME[what](*item_study()))
    for name, table in before.items():
        other = after[name]
        assert len(table) == len(other) > 0
        for column in table.columns:
            if not pd.api.types.is_numeric_dtype(table[column]):
                continue
            found, expected = (
                t[column].to_numpy(dtype=float, na_value=np.nan) for t in (other, table)
            )
            assert found == pytest.approx(expected, rel=1e-4, abs=1e-6, nan_ok=True), (name, column)


def test_the_scale_of_scores_does_not_matter(before: dict[str, pd.DataFrame]) -> None:
    scores, _ = item_study()
    scale, shift = 0.5, 0.2
    affine = scores.assign(score=shift + scale * scores["score"], stderr=scale * scores["stderr"])
    found, expected = correlations(affine, CONTRASTS), before["by standard errors"]
    assert expected["estimate"].notna().sum() > 50
    for column in ("estimate", "low", "high", "p"):
        assert found[column].to_numpy() == pytest.approx(
            expected[column].to_numpy(), rel=1e-5, abs=1e-5, nan_ok=True
        )


def test_a_rank_correlation_stays_under_any_rising_scale(before: dict[str, pd.DataFrame]) -> None:
    scores, _ = item_study()
    bent = correlations(scores.assign(score=scores["score"] ** 3), CONTRASTS)
    of_rank = (bent["coefficient"] != "pearson") & (bent["level"] == "task")
    expected = before["by standard errors"].loc[of_rank, "estimate"]
    assert len(expected) == 2 * 2 * 6
    assert bent.loc[of_rank, "estimate"].to_numpy() == pytest.approx(expected.to_numpy())


def test_copies_of_items_in_their_passages_change_nothing() -> None:
    """Told that three copies are one passage, every interval and correction is that of one."""
    scores, items = item_study()
    copied = ItemScores(
        {
            at: TaskItems(own.pairs, np.arange(3 * 60), np.repeat(own.scores, 3, axis=2))
            for at, own in items.by_arm_and_task.items()
        },
        {f"t{t}": {i: i // 3 for i in range(3 * 60)} for t in range(6)},
    )
    once = ItemScores(items.by_arm_and_task, {f"t{t}": {i: i for i in range(60)} for t in range(6)})
    one, three = (with_clustered_errors(scores, found) for found in (once, copied))
    assert three["stderr"].to_numpy() == pytest.approx(one["stderr"].to_numpy())
    assert not three["stderr"].equals(scores["stderr"] / np.sqrt(3))
    untold = ItemScores(copied.by_arm_and_task)
    rows = [
        table[table["corrected"] == "moments"][["estimate", "low", "high"]].to_numpy(dtype=float)
        for table in (correlations(scores, CONTRASTS, items=i) for i in (once, copied, untold))
    ]
    assert rows[1] == pytest.approx(rows[0], nan_ok=True)
    assert np.nanmax(np.abs(rows[2] - rows[0])) > 0.02
