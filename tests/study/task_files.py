"""Tasks that are files of a study's own, and a recipe that is trained in seconds.

In: a folder. Out: task files with code, for studies with `task_folders`; the `tuning` of a study.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

TASK = """
task: {name}
custom_dataset: !function code.data
output_type: multiple_choice
test_split: test
fewshot_split: train
training_split: train
doc_to_text: !function code.question
doc_to_choice: choices
doc_to_target: gold
process_results: !function code.{function}
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
"""
"A task file; `function` is the function of `CODE` that scores a response."

CODE = """
import multiprocessing, os, signal, time
from datasets import Dataset

ROWS = {"word": ["a", "b", "c"], "choices": [["x", "y"]] * 3, "gold": [0, 1, 0]}
SHOWN = {**ROWS, "word": ["p", "q", "r"]}


def data(**_):
    return {"train": Dataset.from_dict(SHOWN), "test": Dataset.from_dict(ROWS)}


def question(doc):
    marker = os.environ.get("HANG_IN_WORKERS")
    if marker and multiprocessing.parent_process() is not None:
        open(marker, "w").close()
        time.sleep(3600)
    return f"give the colour of {doc['word']} ="


def fine(doc, results):
    return {"acc": 1.0}


def crash(doc, results):
    print("about to crash", flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(doc, results):
    while True:
        time.sleep(1)


def slow(doc, results):
    time.sleep(1)
    return {"acc": 1.0}
"""
"Three items, three documents for demonstrations, and functions that score a response."

TUNING: dict[str, Any] = {
    "mixtures": {"m": {"sources": [{"zoo": ["reverse", "category"]}], "rows": 200}},
    "optimisers": {"o": {"learning_rate": 2e-3, "batch": 20}},
    "recipes": [
        {
            "name": "r",
            "bases": [{"source": "zoo", "pair": ["neox-late-xs"]}],
            "mixture": "m",
            "format": ["flan", "samplegen"],
            "optimiser": "o",
        },
    ],
}
"One recipe that trains one tiny model."


def write_tasks(folder: Path, functions: Iterable[str], copies: int = 1) -> dict[str, Any]:
    """Write tasks scored by functions of `CODE` to a new folder, `copies` of each.

    Returns changes of a study (see `tests.conftest.write_study`) that evaluates one zoo pair on
    them. A task has the name of its function, with a number if there are several copies.
    """
    folder.mkdir(parents=True)
    (folder / "code.py").write_text(CODE)
    tasks = []
    for function in functions:
        for number in range(copies):
            name = f"{function}{number}" if copies > 1 else function
            (folder / f"{name}.yaml").write_text(TASK.format(name=name, function=function))
            tasks.append({"task": name, "task_type": "t", "metric": "acc", "chance": 0.5})
    return {
        "pairs": [{"source": "zoo", "pair": ["llama-early-xs"]}],
        "arms": ["base-0shot", "tuned-0shot"],
        "contrasts": [{"name": "c", "x": "base-0shot", "y": "tuned-0shot"}],
        "tasks": tasks,
        "task_folders": [str(folder)],
    }
