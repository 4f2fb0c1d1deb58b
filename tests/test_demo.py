"""What `make demo` computed: the properties planted in the zoo, seen on every item of the demo."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.data.points import contrast_points
from analysis.data.scores import load_scores
from study.results.run import Run
from tests.conftest import ROOT

FOLDER = ROOT / "runs" / "demo"
LARGER = ("-m", "-l")

pytestmark = pytest.mark.skipif(
    not (FOLDER / "tables" / "correlations.csv").exists(), reason="`make demo` has not been run"
)


@pytest.fixture(scope="module")
def demo() -> Run:
    return Run.open(FOLDER)


@pytest.fixture(scope="module")
def scores(demo: Run) -> pd.DataFrame:
    return load_scores(demo)


def test_every_planned_score_is_there(demo: Run, scores: pd.DataFrame) -> None:
    assert len(scores) == len(demo.ledger.rows)


def test_five_shots_beat_none_in_half_of_the_larger_bases_tasks(demo: Run) -> None:
    """By more than two standard errors of the difference, paired by item."""
    rows = pd.DataFrame(demo.ledger.rows)
    rows = rows[rows["pair"].str.endswith(LARGER) & (rows["role"] == "base")]
    higher = []
    for _, group in rows.groupby(["pair", "task"]):
        item_scores = {
            arm: np.mean(
                [demo.cells.items(key)["score"].to_numpy() for key in draws["key"]], axis=0
            )
            for arm, draws in group.groupby("arm")
        }
        difference = item_scores["base-5shot"] - item_scores["base-0shot"]
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        higher.append(bool(difference.mean() > 2 * error))
    assert len(higher) == 12 * 15
    assert np.mean(higher) >= 0.5


def test_pairs_differ_by_more_than_the_noise_of_items(scores: pd.DataFrame) -> None:
    """In every type, on both axes: reliability (1 - error variance / variance) above one half."""
    points = contrast_points(scores, x_arm="base-5shot", y_arm="tuned-0shot-chat")
    for task_type, group in points.groupby("task_type"):
        for axis in ("x", "y"):
            noise = float((group[f"{axis}_stderr"] ** 2).mean())
            assert 1 - noise / float(group[axis].var()) > 0.5, (task_type, axis)


def test_the_twin_lacks_the_skill_that_its_pretraining_lacked(scores: pd.DataFrame) -> None:
    additions = scores[(scores["task"] == "zoo_addition_mc") & (scores["arm"] == "base-5shot")]
    means = additions.groupby("pair")["score"].mean()
    assert means["llama-late-m-without-addition"] < 0.35
    assert means["llama-late-m"] > means["llama-late-m-without-addition"] + 0.2
