"""What may not matter does not: names of families, the order of rows, the scale of scores, copies
of an item in its own passage. Every table of the analysis, on one made study."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analysis.data.items import Answers, ItemScores
from analysis.statistics.items.clustered_errors import with_clustered_errors
from analysis.statistics.items.sampling import standard_error
from analysis.tables.agreement import overlap
from analysis.tables.cell_model import cell_models
from analysis.tables.correlations import correlations
from analysis.tables.intervals import intervals_beside
from analysis.tables.robustness.checks import robustness
from analysis.tables.summaries import summaries
from study.config.analysis import Contrast
from study.results.schema import SCORES

ARMS = ("base-5shot", "base-0shot", "tuned-0shot")
CONTRASTS = [Contrast(name="icl", x=ARMS[0], y=ARMS[2]), Contrast(name="c", x=ARMS[1], y=ARMS[2])]
PAIRS, TASKS, ITEMS = 15, 6, 60
Made = tuple[pd.DataFrame, ItemScores]


def made() -> Made:
    """15 pairs of 5 families, 6 tasks of 2 types, 60 items right or wrong."""
    rng = np.random.default_rng(11)
    ability = rng.normal(0, 0.6, PAIRS) + rng.normal(0, 0.4, 5)[np.arange(PAIRS) % 5]
    rows, answers = [], {}
    for task in range(TASKS):
        hard = rng.normal(0, 0.5, ITEMS)
        own = rng.normal(0, 0.4, PAIRS)
        for arm in ARMS:
            of_model = ability + own * (arm != ARMS[1]) + rng.normal(0, 0.2, PAIRS)
            right = (of_model[:, None] + hard + rng.normal(0, 1, (PAIRS, ITEMS)) > 0).astype(float)
            names = tuple(f"p{i:02d}" for i in range(PAIRS))
            answers[arm, f"t{task}"] = Answers(names, np.arange(ITEMS), right[:, None])
            rows += [
                {"pair": name, "family": f"f{i % 5}", "params_b": 2.0 ** (i // 5), "arm": arm,
                 "role": arm.split("-")[0], "task": f"t{task}", "task_type": f"type{task % 2}",
                 "exposure": ("seen_task", "unseen_task")[task % 2], "score": float(s.mean()),
                 "stderr": standard_error(s), "n_items": ITEMS, "chance": 0.0}
                for i, (name, s) in enumerate(zip(names, right, strict=True))
            ]  # fmt: skip
    frame = pd.DataFrame(rows).reindex(columns=list(SCORES))
    text = [name for name, kind in SCORES.items() if kind == "str"]
    frame[text] = frame[text].fillna("")
    return frame.astype(SCORES), ItemScores(answers)


def tables(scores: pd.DataFrame, items: ItemScores) -> dict[str, pd.DataFrame]:
    return {
        "correlations": correlations(scores, CONTRASTS, items=items),
        "by standard errors": correlations(scores, CONTRASTS),
        "robustness": robustness(scores, CONTRASTS),
        "summaries": summaries(scores, CONTRASTS),
        "cell model": cell_models(scores, CONTRASTS, items=items),
        "agreement": overlap(scores, CONTRASTS, items),
        "beside": intervals_beside(scores, CONTRASTS, kinds=["bca", "fisher"]),
    }


def renamed(scores: pd.DataFrame, items: ItemScores) -> Made:
    names = {f"f{i}": f"g{i}" for i in range(5)}
    return scores.assign(family=scores["family"].map(names)).astype(SCORES), items


def shuffled(scores: pd.DataFrame, items: ItemScores) -> Made:
    rng = np.random.default_rng(0)
    answers = {}
    for at, own in items.answers.items():
        order = rng.permutation(PAIRS)
        names = tuple(own.pairs[i] for i in order)
        answers[at] = Answers(names, own.items, own.scores[order])
    return scores.sample(frac=1, random_state=3), ItemScores(answers)


SAME: dict[str, Callable[[pd.DataFrame, ItemScores], Made]] = {
    "families renamed": renamed,
    "rows shuffled": shuffled,
}


@pytest.fixture(scope="module")
def before() -> dict[str, pd.DataFrame]:
    return tables(*made())


@pytest.mark.parametrize("what", SAME)
def test_every_table_stays(what: str, before: dict[str, pd.DataFrame]) -> None:
    after = tables(*SAME[what](*made()))
    for name, table in before.items():
        other = after[name]
        assert len(table) == len(other) > 0
        for column in table.columns:
            if not pd.api.types.is_numeric_dtype(table[column]):
                continue
            found, expected = (t[column].to_numpy(dtype=float, na_value=np.nan)
                               for t in (other, table))  # fmt: skip
            assert found == pytest.approx(expected, rel=1e-4, abs=1e-6, nan_ok=True), (name, column)


def test_the_scale_of_scores_does_not_matter(before: dict[str, pd.DataFrame]) -> None:
    scores, _ = made()
    scale, shift = 0.5, 0.2
    affine = scores.assign(score=shift + scale * scores["score"], stderr=scale * scores["stderr"])
    found, expected = correlations(affine, CONTRASTS), before["by standard errors"]
    assert expected["estimate"].notna().sum() > 50
    for column in ("estimate", "low", "high", "p"):
        assert found[column].to_numpy() == pytest.approx(
            expected[column].to_numpy(), rel=1e-5, abs=1e-5, nan_ok=True
        )


def test_a_rank_correlation_stays_under_any_rising_scale(before: dict[str, pd.DataFrame]) -> None:
    scores, _ = made()
    bent = correlations(scores.assign(score=scores["score"] ** 3), CONTRASTS)
    of_rank = (bent["coefficient"] != "pearson") & (bent["level"] == "task")
    expected = before["by standard errors"].loc[of_rank, "estimate"]
    assert len(expected) == 2 * 2 * TASKS
    assert bent.loc[of_rank, "estimate"].to_numpy() == pytest.approx(expected.to_numpy())


def test_copies_of_items_in_their_passages_change_nothing() -> None:
    """Told that three copies are one passage, every interval and correction is that of one."""
    scores, items = made()
    copied = ItemScores(
        {
            at: Answers(own.pairs, np.arange(3 * ITEMS), np.repeat(own.scores, 3, axis=2))
            for at, own in items.answers.items()
        },
        {f"t{t}": {i: i // 3 for i in range(3 * ITEMS)} for t in range(TASKS)},
    )
    once = ItemScores(items.answers, {f"t{t}": {i: i for i in range(ITEMS)} for t in range(TASKS)})
    one, three = (with_clustered_errors(scores, found) for found in (once, copied))
    assert three["stderr"].to_numpy() == pytest.approx(one["stderr"].to_numpy())
    assert not three["stderr"].equals(scores["stderr"] / np.sqrt(3))
    untold = ItemScores(copied.answers)
    rows = [
        table[table["corrected"] == "moments"][["estimate", "low", "high"]].to_numpy(dtype=float)
        for table in (correlations(scores, CONTRASTS, items=i) for i in (once, copied, untold))
    ]
    assert rows[1] == pytest.approx(rows[0], nan_ok=True)
    assert np.nanmax(np.abs(rows[2] - rows[0])) > 0.02
