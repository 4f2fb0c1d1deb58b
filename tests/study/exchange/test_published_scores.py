"""Published scores imported and analysed: their correlations are the published ones."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from analysis import load_scores
from analysis.pipeline import analyze_run, write_tables
from analysis.tables.correlations import correlations
from tests.conftest import ROOT
from tests.study.exchange.score_files import (
    add_import,
    imported_csv,
    score_rows,
    write_csv,
    write_imported_study,
)

# Pearson and Spearman correlations across pairs, by task (tests/data/README.md).
PUBLISHED = {
    "openllm_v1": {
        "arc_challenge": (0.97, 0.96),
        "hellaswag": (0.97, 0.96),
        "mmlu": (0.97, 0.96),
        "winogrande": (0.96, 0.95),
        "gsm8k": (0.76, 0.79),
        "truthfulqa": (0.74, 0.75),
    },
    "swallow_v1": {
        "MMLU": (0.98, 0.99),
        "TriviaQA": (0.98, 0.98),
        "MGSM": (0.92, 0.92),
        "MATH": (0.91, 0.91),
        "GSM8K": (0.85, 0.86),
        "SQuAD2": (0.66, 0.78),
        "BBH": (0.66, 0.71),
        "XL-Sum": (0.75, 0.73),
    },
}


MIXED = {"base": "base-icl", "tuned": "tuned"}
"Arms of a table in which each task has its own number of demonstrations."


def _arm(name: str, role: str, shots: float) -> str:
    return MIXED[role] if name == "openllm_v1" else f"{role}-{int(shots)}shot"


def _long_form(name: str) -> pd.DataFrame:
    """A published table with a row for each score, primary pairs only."""
    table = pd.read_csv(ROOT / "tests" / "data" / f"{name}_pairs.csv")
    complete = table[["base_score", "instruct_score"]].notna().all(axis=1)
    table = table[(table["primary"] == 1) & complete]
    sides = []
    for role, side in (("base", "base"), ("tuned", "instruct")):
        columns = {
            "pair": table["instruct_model"],
            "family": table["family"],
            "params_b": table["params_b"],
            "model": table[f"{side}_model"],
            "role": role,
            "arm": [_arm(name, role, n) for n in table[f"n_shot_{side}"]],
            "task": table["task"],
            "task_type": table["task_type"],
            "score": table[f"{side}_score"],
            "stderr": table[f"{side}_stderr"],
            "n_items": table["n_items"],
            "chance": table["chance"],
            "metric": table["metric"],
            "source": table["source"],
        }
        sides.append(pd.DataFrame(columns))
    return pd.concat(sides)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_correlations(name: str, tmp_path: Path) -> None:
    """As computed, and for the smaller table as written with all others."""
    scores = _long_form(name)
    shots = sorted({arm.split("-")[1] for arm in scores["arm"] if arm not in MIXED.values()})
    contrasts = [{"name": n, "x": f"base-{n}", "y": f"tuned-{n}"} for n in shots]
    if name == "openllm_v1":
        contrasts = [{"name": "leaderboard", "x": MIXED["base"], "y": MIXED["tuned"]}]
    folder = write_imported_study(tmp_path / "published", contrasts)
    run = add_import(folder, imported_csv(write_csv(tmp_path, scores)))
    if name == "swallow_v1":
        write_tables(run)
        path = folder / "tables" / "correlations.csv"
        frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    else:
        frame = correlations(load_scores(run), run.study.contrasts)
        assert frame.loc[frame["level"] == "overall", "n_pairs"].eq(81).all()
    frame = frame[(frame["level"] == "task") & (frame["corrected"] == "none")]
    for task, expected in PUBLISHED[name].items():
        rows = frame[frame["task"].str.lower().str.startswith(task.lower())]
        assert rows["task"].nunique() == 1, (task, sorted(frame["task"].unique()))
        for coefficient, value in zip(("pearson", "spearman"), expected, strict=True):
            estimate = rows.loc[rows["coefficient"] == coefficient, "estimate"].item()
            assert round(estimate, 2) == value, (task, coefficient, estimate)


@pytest.mark.filterwarnings("error")
def test_arms_of_a_leaderboard_are_analysed(tmp_path: Path) -> None:
    """With the zero-shot control, where there is one; without a figure over numbers of shots."""
    rows = score_rows()
    rows["arm"] = rows["role"].map(MIXED)
    control = rows[rows["role"] == "base"].assign(arm="base-0shot", score=0.5)
    control["score"] = [0.2, 0.5, 0.3, 0.6, 0.4, 0.5]
    contrasts = [{"name": "leaderboard", "x": MIXED["base"], "y": MIXED["tuned"]}]
    folder = write_imported_study(tmp_path / "published", contrasts)
    run = add_import(folder, imported_csv(write_csv(tmp_path, pd.concat([rows, control]))))
    assert "leaderboard-control: base-0shot (x) against tuned (y)" in analyze_run(run)
    assert (folder / "figures" / "forest.pdf").exists()
    assert not (folder / "figures" / "shots.pdf").exists()
