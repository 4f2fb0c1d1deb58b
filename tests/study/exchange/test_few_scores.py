"""Scores that are too few or degenerate: every table and figure exists, and says what it lacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from analysis import load_scores
from analysis.pipeline import analyze_run
from analysis.tables.correlations import correlations
from study.config.analysis import Contrast
from tests.study.exchange.score_files import (
    CONTRAST,
    add_import,
    imported_csv,
    score_rows,
    write_csv,
)


def _two_tasks() -> pd.DataFrame:
    scores = [0.9 - 0.05 * i for i in range(12)]
    other = score_rows().assign(task="u", task_type="maths", score=scores)
    return pd.concat([score_rows(), other])


CASES: dict[str, Callable[[], pd.DataFrame]] = {
    "one family": lambda: score_rows().assign(family="f"),
    "two families": lambda: score_rows().assign(family=[f"f{i // 2 % 2}" for i in range(12)]),
    "two pairs": lambda: score_rows()[:4],
    "one pair": lambda: score_rows()[:2],
    "constant": lambda: score_rows().assign(score=0.5),
    "constant base": lambda: score_rows().assign(
        score=lambda table: table["score"].where(table["role"] == "tuned", 0.4)
    ),
    "perfect": lambda: score_rows().assign(score=[0.3 + 0.1 * (i // 2) for i in range(12)]),
    "no measurement error": lambda: score_rows().assign(stderr=0.0),
    "much measurement error": lambda: score_rows().assign(stderr=0.4),
    "all at the ceiling": lambda: score_rows().assign(score=[1 - 0.001 * i for i in range(12)]),
    "no sizes": lambda: score_rows().drop(columns="params_b"),
    "two tasks": _two_tasks,
}
NUMBERS = (
    ("correlations", "estimate"),
    ("correlations", "low"),
    ("robustness", "estimate"),
    ("robustness", "low"),
    ("summaries", "estimate"),
    ("cell_model", "estimate"),
)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", CASES)
def test_a_number_that_cannot_be_estimated_says_why(
    case: str, folder: Path, tmp_path: Path
) -> None:
    run = add_import(folder, imported_csv(write_csv(tmp_path, CASES[case]())))
    assert "in-context" in analyze_run(run)
    for name, number in NUMBERS:
        table = pd.read_csv(folder / "tables" / f"{name}.csv", keep_default_na=True)
        assert len(table)
        empty = table[table[number].isna()]
        if name == "cell_model":
            empty = empty[~empty["effect"].astype(str).str.startswith("deviation")]
        assert empty["note"].notna().all(), (name, number, empty.to_string())
    assert len(list((folder / "figures").glob("*.png"))) >= 8


def test_a_tuned_model_without_its_base_is_not_counted(folder: Path, tmp_path: Path) -> None:
    rows = score_rows()
    rows = rows[~((rows.pair == "p5") & (rows.role == "base"))]
    run = add_import(folder, imported_csv(write_csv(tmp_path, rows)))
    frame = correlations(load_scores(run), [Contrast(**CONTRAST)])
    assert frame["n_pairs"].eq(5).all()
