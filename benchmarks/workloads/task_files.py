"""A multiple-choice task of lm-eval, with generated items and one set of demonstrations.

In: a `RequestGenerator`. Out: a folder with the task's YAML file and its data, for lm-eval's
`include_path`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workloads.requests import SHOTS, RequestGenerator

TASK = "generated"


def write_task(folder: Path, generator: RequestGenerator) -> None:
    """Write the task `TASK` into a folder."""

    def document(words: int) -> dict[str, Any]:
        return {
            "question": generator.words(words),
            "choices": [generator.words(n) for n in (3, 4, 5, 6)],
            "gold": 0,
        }

    data = {
        "shots": [document(generator.demonstration_length - 4) for _ in range(SHOTS)],
        "items": [document(15 + i % 16) for i in range(generator.items)],
    }
    files = {name: folder / f"{name}.jsonl" for name in data}
    for name, documents in data.items():
        files[name].write_text("".join(json.dumps(entry) + "\n" for entry in documents))
    task = {
        "task": TASK,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {name: str(file) for name, file in files.items()}},
        "output_type": "multiple_choice",
        "test_split": "items",
        "fewshot_split": "shots",
        "fewshot_config": {"sampler": "first_n"},
        "doc_to_text": "{{question}}",
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "{{gold}}",
        "fewshot_delimiter": " . ",
        "metric_list": [{"metric": "acc"}],
    }
    (folder / f"{TASK}.yaml").write_text(json.dumps(task))
