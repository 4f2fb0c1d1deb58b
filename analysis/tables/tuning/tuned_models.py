"""What was tuned in a run, and how it went: `tables/tuning.csv`, and the curves of the losses.

In: a run's folder. Out: one row per pair that the study tunes, with its recipe's values, tokens by
kind, and measures of fit and of learning by heart; the loss of every step.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from study.errors import StudyError
from study.results.ledger import read_ledger

AXES = ["mixture", "format", "loss", "indicator", "optimiser", "adapter", "seed"]
COLUMNS = ["pair", "base", "family", "grid", *AXES, "rows", "dropped", "truncated", "marked_turns",
           "tokens", "template_tokens", "instruction_tokens", "output_tokens", "loss_tokens",
           "steps", "first_loss", "last_loss", "base_train_loss", "base_unseen_loss",
           "train_loss", "unseen_loss", "train_regenerated", "unseen_regenerated",
           "tokens_per_second", "data_digest", "key"]  # fmt: skip


def tuned_models(run: Path) -> pd.DataFrame:
    """One row per tuned pair that is finished; none where the study tunes nothing."""
    rows = []
    for pair, about in read_ledger(run).get("tuned", {}).items():
        path = Path(about["folder"]) / "tuning.json"
        if path.is_file():
            rows.append({"pair": pair, **about, **_told(path)})
    return pd.DataFrame(rows, columns=COLUMNS)


def _told(path: Path) -> dict[str, Any]:
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
            do="Remove its folder: the model is then tuned anew",
        ) from None


def loss_curves(run: Path) -> pd.DataFrame:
    """Columns pair, step, loss."""
    parts = []
    for pair, about in read_ledger(run).get("tuned", {}).items():
        path = Path(about["folder"]) / "losses.csv"
        if path.is_file():
            parts.append(pd.read_csv(path).assign(pair=pair))
    if not parts:
        return pd.DataFrame(columns=["pair", "step", "loss"])
    return pd.concat(parts, ignore_index=True)[["pair", "step", "loss"]]


def turn_scores(run: Path) -> pd.DataFrame:
    """What indicators thought of every turn: mixture, indicator, source, score, marked. One of the
    models of each mixture and indicator speaks for all: rows and scores do not depend on the base.
    """
    parts, seen = [], set()
    for about in read_ledger(run).get("tuned", {}).values():
        path, of = Path(about["folder"]) / "turn_scores.csv", (about["mixture"], about["indicator"])
        if path.is_file() and of not in seen:
            seen.add(of)
            parts.append(pd.read_csv(path).assign(mixture=of[0], indicator=of[1]))
    columns = ["mixture", "indicator", "source", "score", "marked"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
