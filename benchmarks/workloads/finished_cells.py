"""Run folders with many finished cells, as `study run` writes them, without computing anything.

In: a folder, numbers of cells and items, a generator. Out: an opened `Run` whose cells and ledger
can be loaded. Contents repeat after a few cells, which has no effect on reading.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from study.results.ledger import VERSION
from study.results.run import Run

CONTENTS = 40
"Number of different contents of cells."


def choice_items(items: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Items of one cell: multiple choice among four answers."""
    logprobs = np.log(rng.dirichlet(np.ones(4), items))
    gold = rng.integers(0, 4, items)
    return [
        {
            "item": i,
            "score": float(logprobs[i].argmax() == gold[i]),
            "choice": int(logprobs[i].argmax()),
        }
        for i in range(items)
    ]


def write_finished_cells(run: Run, rows: list[dict[str, Any]], items: int) -> None:
    """Write a cell of `items` items for every ledger row, and the ledger.

    `rows` need no key; each gets one.
    """
    rng = np.random.default_rng(0)
    contents = [choice_items(items, rng) for _ in range(min(CONTENTS, len(rows)))]
    details = {"versions": {f"package-{i}": "1.2.3" for i in range(30)}}
    keyed = []
    for index, row in enumerate(rows):
        key = f"{index:064x}"
        cell_items = contents[index % len(contents)]
        score = float(np.mean([item["score"] for item in cell_items]))
        record = {
            "score": score,
            "stderr": 0.01,
            "n_items": items,
            "key": key,
            "provenance": details,
            "scored": details,
        }
        run.cells.write(key, record, cell_items)
        keyed.append({**row, "key": key})
    digest = run.study.digest()
    ledger = {"version": VERSION, "study": digest, "rows": keyed, "passages": {}, "prompts": ""}
    run.ledger_file.write_text(json.dumps(ledger))


def grid_run(folder: Path, arms: tuple[str, ...], tasks: int) -> Run:
    """The run of a study with these arms and tasks, of which nothing is computed."""
    listed_tasks = [
        {"task": f"t{t}", "task_type": f"type{t % 5}", "metric": "acc", "chance": 0.25}
        for t in range(tasks)
    ]
    last = arms[-1] if len(arms) > 1 else "tuned-0shot-chat"
    content = {
        "name": "grid",
        "pairs": [{"base": "b", "tuned": "t", "family": "f", "params_b": 1.0}],
        "arms": list(dict.fromkeys([*arms, last])),
        "tasks": listed_tasks,
        "contrasts": [{"name": "first-and-last", "x": arms[0], "y": last}],
    }
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(json.dumps(content))
    return Run.open(folder)


def grid_rows(arms: tuple[str, ...], pairs: int, families: int, tasks: int) -> list[dict[str, Any]]:
    """Ledger rows of every pair, arm and task."""
    return [
        {
            "pair": f"p{pair}",
            "family": f"f{pair % families}",
            "params_b": 1.0,
            "model": "m",
            "role": arm.split("-")[0],
            "arm": arm,
            "task": f"t{task}",
            "task_type": f"type{task % 5}",
            "metric": "acc",
            "chance": 0.25,
            "exposure": "",
            "draw": None,
        }
        for pair in range(pairs)
        for arm in arms
        for task in range(tasks)
    ]
