"""A run that tuned two models on one mixture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from study.results.ledger import VERSION, Ledger
from study.results.run import Run
from tests.analysis.samples import X, Y

RECORD: dict[str, Any] = {
    "data": {
        "rows": 128,
        "dropped": {"too long": 1, "empty": 2},
        "truncated": 3,
        "marked_turns": 0,
        "tokens": {
            "all": 100, "template": 10, "instruction": 40, "output": 50, "carrying_loss": 50
        },
        "digest": "d",
    },
    "measures": {
        role: {
            part: {"output_loss": 1.0, "regenerated": 0.5} for part in ("train", "unseen")
        }
        for role in ("base", "tuned")
    },
    "steps": 8,
    "first_loss": 3.0,
    "last_loss": 1.0,
    "tokens_per_second": 1000.0,
    "key": "k",
}  # fmt: skip


@pytest.fixture
def tuning_run(tmp_path: Path) -> Run:
    (tmp_path / "study.yaml").write_text(
        f"name: tuning\ncontrasts:\n  - {{name: c, x: {X}, y: {Y}}}\n"
    )
    tuned = {}
    for pair in ("one", "two", "unfinished"):
        folder = tmp_path / pair
        folder.mkdir()
        recipe = {"mixture": "short", "indicator": "none", "format": "flan", "loss": "output"}
        tuned[pair] = {"folder": str(folder), "base": f"{pair}/base", "family": "f", **recipe}
        if pair != "unfinished":
            (folder / "tuning.json").write_text(json.dumps(RECORD))
            (folder / "losses.csv").write_text("step,loss\n1,3.0\n2,2.0\n")
            (folder / "turn_scores.csv").write_text("source,score,marked\na,0.5,1\n")
    run = Run.open(tmp_path)
    run.__dict__["ledger"] = Ledger(VERSION, run.study.digest(), "", [], {}, tuned)
    return run
