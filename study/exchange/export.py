"""A run's scores for others: the long form, and lm-eval's own form of results.

In: scores in the columns of `contract.SCORES`. Out: `scores.csv`, and one folder per model with a
`results_*.json` of the keys that lm-eval 0.4.x writes, for each arm and draw.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from study.config.arms import parse_arm
from study.results.files import write_whole


def export(scores: pd.DataFrame, folder: Path) -> list[Path]:
    """Writes both forms; returns the files."""
    long_form = folder / "scores.csv"
    write_whole(long_form, scores.to_csv(index=False, lineterminator="\n").encode())
    written = [long_form]
    of_model = ["model", "arm", "draw"]
    for (model, arm, _), rows in scores.groupby(of_model, dropna=False, sort=True):
        first = rows["draw"].iloc[0]
        draw = None if pd.isna(first) else int(first)
        drawn = "" if draw is None else f"_draw{draw}"
        path = folder / _folder_name(str(model)) / f"results_{arm}{drawn}.json"
        content = _results(str(model), str(arm), draw, rows)
        write_whole(path, (json.dumps(content, indent=2) + "\n").encode())
        written.append(path)
    return written


def _results(model: str, arm: str, draw: int | None, rows: pd.DataFrame) -> dict[str, Any]:
    asked = parse_arm(arm)
    own = rows.drop_duplicates("task").set_index("task")  # a base stands once for each of its pairs
    return {
        "results": {task: _task(row) for task, row in own.iterrows()},
        "configs": {
            task: {"task": task, "num_fewshot": asked.shots, "metadata": {"chance": row["chance"]}}
            for task, row in own.iterrows()
        },
        "n-shot": dict.fromkeys(own.index, asked.shots),
        "n-samples": {
            task: {"original": int(n), "effective": int(n)}
            for task, n in own["n_items"].dropna().items()
        },
        "config": {"model": "shared-prefix", "model_args": {"pretrained": model}, "draw": draw},
        "model_name": model,
        "fewshot_as_multiturn": asked.multiturn if asked.template else None,
        "chat_template": "the model's own" if asked.template else None,
    }


def _task(row: pd.Series) -> dict[str, Any]:
    metric, _, filtered = str(row["metric"]).partition(",")
    named = f"{metric},{filtered or 'none'}"
    stderr = "N/A" if pd.isna(row["stderr"]) else float(row["stderr"])
    return {
        "alias": str(row.name),
        named: float(row["score"]),
        f"{metric}_stderr,{filtered or 'none'}": stderr,
    }


def _folder_name(model: str) -> str:
    """As lm-eval names a model's folder."""
    return re.sub(r"[\"<>:/|\\?*\[\]]+", "__", model)
