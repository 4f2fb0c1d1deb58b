"""Writing the ledger, `results/plan.json`: which cell holds which number of the tables.

In: a `Plan`. Out: a file with one row per (pair, role, arm, task, draw), and which items share a
passage; and tables of the items themselves. `study.results.ledger` reads it.
"""

from __future__ import annotations

import json
from typing import Any

from study.planning.plan import Plan
from study.planning.resolving.resolved_study import ResolvedStudy
from study.results.files import write_whole
from study.results.ledger import VERSION
from study.results.schema import text_code
from study.tasks.item_tables import write_item_table


def ledger_rows(resolved: ResolvedStudy, plan: Plan) -> list[dict[str, Any]]:
    """One row for each cell of each pair."""
    return [
        {
            "pair": pair.name,
            "family": pair.family,
            "params_b": pair.params_b,
            "model": cell.model.name,
            "role": role,
            "arm": cell.arm.name,
            "task": cell.task.task,
            "task_type": cell.task.task_type,
            "exposure": resolved.exposures[pair.recipe.mixture_name][cell.task.task]
            if pair.recipe
            else cell.task.exposure,
            "draw": cell.draw,
            "chance": cell.task.chance,
            "metric": cell.task.metric,
            "key": cell.key,
            "responses": cell.responses,
        }
        for pair, role, cell in plan.rows
    ]


def write_ledger(resolved: ResolvedStudy, plan: Plan) -> None:
    """Write the tables of items, and the plan's rows beside the cells, each whole."""
    content = {
        "version": VERSION,
        "study": resolved.study.digest(),
        "prompts": resolved.study.digest(scoring=False),
        "rows": ledger_rows(resolved, plan),
        "passages": _passages(resolved),
        "left_out": [vars(entry) for entry in plan.skipped],
        "falsified": list(plan.corrections),
        "tuned": _tuned(resolved),
        "items": _items(resolved),
    }
    text = json.dumps(content, indent=None, sort_keys=True) + "\n"
    write_whole(resolved.run.ledger_file, text.encode())
    resolved.run.reload()


def _tuned(resolved: ResolvedStudy) -> dict[str, dict[str, Any]]:
    """By pair, the folder of the model that the study trains, and its recipe's values."""
    return {
        pair.name: {
            "folder": str(resolved.tuned[pair.tuned].folder),
            "base": pair.base.name,
            "family": pair.family,
            "grid": pair.recipe.grid,
            **pair.recipe.values,
        }
        for pair in resolved.pairs
        if pair.recipe is not None and pair.tuned in resolved.tuned
    }


def _items(resolved: ResolvedStudy) -> dict[str, str]:
    """By task, the name of the file of its items."""
    return {
        task.task: write_item_table(resolved.run.results, task, items).name
        for task in resolved.tasks
        if not isinstance(items := resolved.items[task.task], str)
    }


def _passages(resolved: ResolvedStudy) -> dict[str, dict[int, int]]:
    """By task and item, a code of the text that items share."""
    passages: dict[str, dict[int, int]] = {}
    for task in resolved.tasks:
        items = resolved.items[task.task]
        if task.passage is not None and not isinstance(items, str):
            texts = {item.index: str(item.raw[task.passage]) for item in items.items}
            passages[task.task] = {index: text_code(text) for index, text in texts.items()}
    return passages
