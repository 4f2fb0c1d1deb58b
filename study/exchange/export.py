"""Writing scores for others: a CSV file, and lm-eval's own form of results.

In: scores with the columns of `schema.SCORES`. Out: `scores.csv`, and one folder per model with a
`results_*.json` for each arm and draw, with the keys that lm-eval 0.4.x writes.
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
    """Write both forms; returns the files."""
    table = folder / "scores.csv"
    write_whole(table, scores.to_csv(index=False, lineterminator="\n").encode())
    files = [table]
    by_model = scores.groupby(["model", "arm", "draw"], dropna=False, sort=True)
    for (model, arm, _), rows in by_model:
        first = rows["draw"].iloc[0]
        draw = None if pd.isna(first) else int(first)
        suffix = "" if draw is None else f"_draw{draw}"
        path = folder / _folder_name(str(model)) / f"results_{arm}{suffix}.json"
        content = _results(str(model), str(arm), draw, rows)
        write_whole(path, (json.dumps(content, indent=2) + "\n").encode())
        files.append(path)
    return files


def _results(model: str, arm_name: str, draw: int | None, rows: pd.DataFrame) -> dict[str, Any]:
    arm = parse_arm(arm_name)
    tasks = rows.drop_duplicates("task").set_index("task")  # a base is in each of its pairs' rows
    return {
        "results": {task: _task(row) for task, row in tasks.iterrows()},
        "configs": {
            task: {"task": task, "num_fewshot": arm.shots, "metadata": {"chance": row["chance"]}}
            for task, row in tasks.iterrows()
        },
        "n-shot": dict.fromkeys(tasks.index, arm.shots),
        "n-samples": {
            task: {"original": int(n), "effective": int(n)}
            for task, n in tasks["n_items"].dropna().items()
        },
        "config": {"model": "shared-prefix", "model_args": {"pretrained": model}, "draw": draw},
        "model_name": model,
        "fewshot_as_multiturn": arm.multiturn if arm.template else None,
        "chat_template": "the model's own" if arm.template else None,
    }


def _task(row: pd.Series) -> dict[str, Any]:
    metric, _, filtered = str(row["metric"]).partition(",")
    suffix = filtered or "none"
    return {
        "alias": str(row.name),
        f"{metric},{suffix}": float(row["score"]),
        f"{metric}_stderr,{suffix}": "N/A" if pd.isna(row["stderr"]) else float(row["stderr"]),
    }


def _folder_name(model: str) -> str:
    """A model's folder as lm-eval names it."""
    return re.sub(r"[\"<>:/|\\?*\[\]]+", "__", model)
