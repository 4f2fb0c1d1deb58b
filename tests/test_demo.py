"""What `make demo` left: the zoo's promises, seen on every item that the demo asked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.data.points import contrast_points
from analysis.data.scores import load_scores
from study.results.cell_store.store import Cells
from study.results.ledger import read_ledger
from tests.conftest import ROOT

RUN = ROOT / "runs" / "demo"
LARGER = ("-m", "-l")

pytestmark = pytest.mark.skipif(
    not (RUN / "tables" / "correlations.csv").exists(), reason="`make demo` has not been run"
)


def test_every_planned_score_is_there() -> None:
    assert len(load_scores(RUN)) == len(read_ledger(RUN)["rows"])


def test_five_shots_beat_none_in_half_of_the_larger_bases_tasks() -> None:
    """By more than two standard errors of the difference, paired by item."""
    cells = Cells(RUN)
    rows = pd.DataFrame(read_ledger(RUN)["rows"])
    rows = rows[rows["pair"].str.endswith(LARGER) & (rows["role"] == "base")]
    beaten = []
    for _, group in rows.groupby(["pair", "task"]):
        scores = {
            arm: np.mean([cells.items(key)["score"].to_numpy() for key in own["key"]], axis=0)
            for arm, own in group.groupby("arm")
        }
        difference = scores["base-5shot"] - scores["base-0shot"]
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        beaten.append(bool(difference.mean() > 2 * error))
    assert len(beaten) == 12 * 15
    assert np.mean(beaten) >= 0.5


def test_pairs_differ_by_more_than_the_noise_of_items() -> None:
    """In every type, on both axes: reliability (1 - error variance / variance) above one half."""
    points = contrast_points(load_scores(RUN), x_arm="base-5shot", y_arm="tuned-0shot-chat")
    for task_type, group in points.groupby("task_type"):
        for axis in ("x", "y"):
            noise = float((group[f"{axis}_stderr"] ** 2).mean())
            assert 1 - noise / float(group[axis].var()) > 0.5, (task_type, axis)


def test_the_twin_lacks_what_was_left_out_of_its_pretraining() -> None:
    scores = load_scores(RUN)
    own = scores[(scores["task"] == "zoo_addition_mc") & (scores["arm"] == "base-5shot")]
    means = own.groupby("pair")["score"].mean()
    assert means["llama-late-m-without-addition"] < 0.35
    assert means["llama-late-m"] > means["llama-late-m-without-addition"] + 0.2
