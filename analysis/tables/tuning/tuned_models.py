"""The models that a run tuned: `tables/tuning.csv`.

In: a run. Out: one row per pair that the study tunes, with the values of its recipe, tokens by
kind, losses before and after, and measures of memorisation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.data.runs import opened
from study.errors import StudyError
from study.results.run import Run

AXES = ["mixture", "format", "loss", "indicator", "optimiser", "adapter", "seed"]
"What recipes may differ in."
COLUMNS = [
    "pair",
    "base",
    "family",
    "grid",
    *AXES,
    "rows",
    "dropped",
    "truncated",
    "marked_turns",
    "tokens",
    "template_tokens",
    "instruction_tokens",
    "output_tokens",
    "loss_tokens",
    "steps",
    "first_loss",
    "last_loss",
    "base_train_loss",
    "base_unseen_loss",
    "train_loss",
    "unseen_loss",
    "train_regenerated",
    "unseen_regenerated",
    "tokens_per_second",
    "data_digest",
    "key",
]


def tuned_models(run: str | Path | Run) -> pd.DataFrame:
    """Load the records of all finished models; StudyError if one is corrupted."""
    rows = []
    for pair, entry in opened(run).ledger.tuned.items():
        path = Path(entry["folder"]) / "tuning.json"
        if path.is_file():
            rows.append({"pair": pair, **entry, **_read_record(path)})
    return pd.DataFrame(rows, columns=COLUMNS)


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        data, measures = record["data"], record["measures"]
        return {
            "rows": data["rows"],
            "dropped": sum(data["dropped"].values()),
            "truncated": data["truncated"],
            "marked_turns": data["marked_turns"],
            "tokens": data["tokens"]["all"],
            "template_tokens": data["tokens"]["template"],
            "instruction_tokens": data["tokens"]["instruction"],
            "output_tokens": data["tokens"]["output"],
            "loss_tokens": data["tokens"]["carrying_loss"],
            "steps": record["steps"],
            "first_loss": record["first_loss"],
            "last_loss": record["last_loss"],
            "base_train_loss": measures["base"]["train"]["output_loss"],
            "base_unseen_loss": measures["base"]["unseen"]["output_loss"],
            "train_loss": measures["tuned"]["train"]["output_loss"],
            "unseen_loss": measures["tuned"]["unseen"]["output_loss"],
            "train_regenerated": measures["tuned"]["train"]["regenerated"],
            "unseen_regenerated": measures["tuned"]["unseen"]["regenerated"],
            "tokens_per_second": record["tokens_per_second"],
            "data_digest": data["digest"],
            "key": record["key"],
        }
    except (ValueError, KeyError, TypeError) as error:
        raise StudyError(
            path,
            found=f"{type(error).__name__} {error}",
            expected="a record of tuning",
            do="Remove its folder; the model is then tuned again",
        ) from None
