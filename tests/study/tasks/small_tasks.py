"""Task files of two small tasks, whose pools and items are not trivially apart.

In: a folder. Out: `shared`, whose only split must also demonstrate; and `leaky`, whose training
split has the texts of items.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

LABELS = ["yes", "no", "maybe"]

CODE = """
import datasets

def load(kind, **_):
    rows = [{"text": f"Is {i} good?", "label": i % 3} for i in range(60)]
    if kind == "leaky":
        rows[7]["text"] = "IS 9,  good"
        rows[8]["text"] = "  is 9 GOOD?"
        return datasets.DatasetDict(
            train=datasets.Dataset.from_list(rows[:20]), test=datasets.Dataset.from_list(rows[9:])
        )
    return datasets.DatasetDict(test=datasets.Dataset.from_list(rows))
"""


def write_tasks(folder: Path) -> Path:
    """Write the task files; returns the folder."""
    (folder / "data.py").write_text(CODE)
    splits: dict[str, dict[str, str]] = {"leaky": {"training_split": "train"}, "shared": {}}
    for kind, named in splits.items():
        config: dict[str, Any] = {
            "task": kind,
            "output_type": "multiple_choice",
            **named,
            "test_split": "test",
            "doc_to_text": "{{text}}",
            "doc_to_choice": LABELS,
            "doc_to_target": "label",
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
            "metadata": {"version": 1.0, "kind": kind},
        }
        text = yaml.safe_dump(config) + "custom_dataset: !function data.load\n"
        (folder / f"{kind}.yaml").write_text(text)
    return folder
