"""No table depends on names of families, the order of rows, scales, or copies of an item."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analysis.data.items import AlignedItems, ItemScores
from analysis.data.scores import with_clustered_errors
from analysis.tables.agreement import item_agreement
from analysis.tables.cell_model import cell_models
from analysis.tables.correlations import correlations
from analysis.tables.intervals import further_intervals
from analysis.tables.robustness.checks import robustness
from analysis.tables.summaries import summaries
from study.results.schema import SCORES
from tests.analysis.samples import CONTRASTS, IN_CONTEXT, item_study

PAIRS, TASKS, ITEMS = 15, 6, 60
Study = tuple[pd.DataFrame, ItemScores]
Change = Callable[[pd.DataFrame, ItemScores], Study]


@pytest.fixture(scope="module")
def study() -> Study:
    return item_study(pairs=PAIRS, tasks=TASKS, items=ITEMS)


@pytest.fixture(scope="module")
def expected(study: Study) -> dict[str, pd.DataFrame]:
    return tables(*study)


def tables(scores: pd.DataFrame, items: ItemScores) -> dict[str, pd.DataFrame]:
    """Every table; only checks against a control need a second contrast."""
    contrasts = [IN_CONTEXT]
    return {
        "correlations": correlations(scores, contrasts, items=items),
        "by standard errors": correlations(scores, contrasts),
        "robustness": robustness(scores, CONTRASTS),
        "summaries": summaries(scores, contrasts),
        "cell model": cell_models(scores, contrasts, items=items),
        "agreement": item_agreement(scores, contrasts, items),
        "intervals": further_intervals(scores, contrasts, kinds=["bca", "fisher"]),
    }


def rename_families(scores: pd.DataFrame, items: ItemScores) -> Study:
    names = {f"f{i}": f"g{i}" for i in range(5)}
    return scores.assign(family=scores["family"].map(names)).astype(SCORES), items


def shuffle_rows(scores: pd.DataFrame, items: ItemScores) -> Study:
    rng = np.random.default_rng(0)
    shuffled = {}
    for key, task_items in items.by_arm_and_task.items():
        order = rng.permutation(PAIRS)
        names = tuple(task_items.pairs[i] for i in order)
        shuffled[key] = AlignedItems(names, task_items.items, task_items.scores[order])
    return scores.sample(frac=1, random_state=3), ItemScores(shuffled)


@pytest.mark.parametrize("change", [rename_families, shuffle_rows])
def test_every_table_stays_the_same(
    change: Change, study: Study, expected: dict[str, pd.DataFrame]
) -> None:
    changed = tables(*change(*study))
    for name, table in expected.items():
        other = changed[name]
        assert len(table) == len(other) > 0
        for column in table.columns:
            if pd.api.types.is_numeric_dtype(table[column]):
                a, b = (t[column].to_numpy(dtype=float, na_value=np.nan) for t in (other, table))
                assert a == pytest.approx(b, rel=1e-4, abs=1e-6, nan_ok=True), (name, column)


def test_the_scale_of_scores_does_not_matter(
    study: Study, expected: dict[str, pd.DataFrame]
) -> None:
    scores, _ = study
    scale, shift = 0.5, 0.2
    affine = scores.assign(score=shift + scale * scores["score"], stderr=scale * scores["stderr"])
    table, other = correlations(affine, [IN_CONTEXT]), expected["by standard errors"]
    assert other["estimate"].notna().sum() > 50
    for column in ("estimate", "low", "high", "p"):
        assert table[column].to_numpy() == pytest.approx(
            other[column].to_numpy(), rel=1e-5, abs=1e-5, nan_ok=True
        )


def test_rank_correlations_stay_under_monotone_transforms(
    study: Study, expected: dict[str, pd.DataFrame]
) -> None:
    scores, _ = study
    cubed = correlations(scores.assign(score=scores["score"] ** 3), [IN_CONTEXT])
    of_ranks = (cubed["coefficient"] != "pearson") & (cubed["level"] == "task")
    estimates = expected["by standard errors"].loc[of_ranks, "estimate"]
    assert len(estimates) == 2 * TASKS
    assert cubed.loc[of_ranks, "estimate"].to_numpy() == pytest.approx(estimates.to_numpy())


def test_copies_of_an_item_in_one_passage_change_nothing(study: Study) -> None:
    """If three copies are one passage, intervals and corrections are those of one item."""
    scores, items = study
    copied = ItemScores(
        {
            key: AlignedItems(
                task_items.pairs, np.arange(3 * ITEMS), np.repeat(task_items.scores, 3, axis=2)
            )
            for key, task_items in items.by_arm_and_task.items()
        },
        {f"t{t}": {i: i // 3 for i in range(3 * ITEMS)} for t in range(TASKS)},
    )
    once = ItemScores(
        items.by_arm_and_task, {f"t{t}": {i: i for i in range(ITEMS)} for t in range(TASKS)}
    )
    one, three = (with_clustered_errors(scores, item_scores) for item_scores in (once, copied))
    assert three["stderr"].to_numpy() == pytest.approx(one["stderr"].to_numpy())
    assert not three["stderr"].equals(scores["stderr"] / np.sqrt(3))
    unclustered = ItemScores(copied.by_arm_and_task)
    rows = []
    for item_scores in (once, copied, unclustered):
        table = correlations(scores, [IN_CONTEXT], items=item_scores)
        moments = table[table["corrected"] == "moments"]
        rows.append(moments[["estimate", "low", "high"]].to_numpy(dtype=float))
    assert rows[1] == pytest.approx(rows[0], nan_ok=True)
    assert np.nanmax(np.abs(rows[2] - rows[0])) > 0.02
