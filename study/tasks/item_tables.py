"""Tables of items, `results/items/<task>.<digest>.parquet`: what was asked, once for all models.

In: a task's items. Out: a file with one row for each item (`schema.QUESTIONS`): question, choices,
gold answer, the passage that it shares with others, and its factors. Responses and scores refer to
items by their number, so that a human can read what a model was asked, and what it gave.
"""

from __future__ import annotations

from pathlib import Path

from study.config.tasks import ListedTask
from study.results.cell_store.tables import arrow_schema, row_bytes
from study.results.files import file_name, write_whole
from study.results.schema import QUESTIONS
from study.tasks.items import TaskItems


def item_table(results: Path, items: TaskItems) -> Path:
    """The file of a task's items; another one if the items are others."""
    return results / "items" / f"{file_name(items.task)}.{items.documents[:16]}.parquet"


def write_item_table(results: Path, task: ListedTask, items: TaskItems) -> Path:
    """Write the items of a task, unless they are written already."""
    path = item_table(results, items)
    if path.is_file():
        return path
    rows = [
        {
            "item": item.index,
            "question": item.text,
            "choices": list(item.choices),
            "gold": item.target,
            "passage": None if task.passage is None else str(item.raw[task.passage]),
            "factors": {name: str(item.raw[name]) for name in task.factors},
        }
        for item in items.items
    ]
    write_whole(path, row_bytes(rows, arrow_schema(QUESTIONS)))
    return path
