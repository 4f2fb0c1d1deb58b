"""`results/plan.json`: which cell holds which number, for whoever reads the results.

In: a `Plan`. Out: a file with one row per (pair, role, arm, task, draw), and which items ask about
one passage, so that results are read without lm-eval, torch or the models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.errors import StudyError
from study.planning.plan import Plan
from study.planning.resolve_study import Resolved
from study.results.cell_store.store import results_folder
from study.results.files import write_whole
from study.results.schema import text_code

VERSION = 2
POSITION = ("pair", "role", "arm", "task", "draw")
"Columns that tell where a number stands (`plan.Position`)."


def ledger_rows(plan: Plan, exposures: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """One row for each cell of each pair; `exposures` by the name of a recipe's mixture."""
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
            "exposure": exposures[pair.recipe.mixture_name][cell.task.task]
            if pair.recipe
            else cell.task.exposure,
            "draw": cell.draw,
            "chance": cell.task.chance,
            "metric": cell.task.metric,
            "key": cell.key,
        }
        for pair, role, cell in plan.rows
    ]


def write_ledger(resolved: Resolved, plan: Plan) -> None:
    """Writes the plan's rows, whole, beside the cells."""
    content = {
        "version": VERSION,
        "study": resolved.study.digest(),
        "rows": ledger_rows(plan, resolved.exposures),
        "passages": _passages(resolved),
        "left_out": [vars(entry) for entry in plan.left_out],
        "falsified": list(plan.falsified),
        "tuned": _tuned(resolved),
    }
    text = json.dumps(content, indent=None, sort_keys=True) + "\n"
    write_whole(results_folder(resolved.run) / "plan.json", text.encode())


def _tuned(resolved: Resolved) -> dict[str, dict[str, Any]]:
    """By pair, where the model is that the study makes, and by what recipe."""
    found = {}
    for pair in resolved.pairs:
        if pair.recipe is not None and pair.tuned in resolved.tuned:
            found[pair.name] = {
                "folder": str(resolved.tuned[pair.tuned].folder),
                "base": pair.base.name,
                "family": pair.family,
                "grid": pair.recipe.grid,
                **pair.recipe.values,
            }
    return found


def _passages(resolved: Resolved) -> dict[str, dict[int, int]]:
    """By task, a number for the text that each item asks about, where items share one."""
    found: dict[str, dict[int, int]] = {}
    for task in resolved.tasks:
        items = resolved.items[task.task]
        if task.passage is not None and not isinstance(items, str):
            texts = {item.place: str(item.raw[task.passage]) for item in items.items}
            found[task.task] = {place: text_code(text) for place, text in texts.items()}
    return found


def read_ledger(run: Path) -> dict[str, Any]:
    """The rows as they were last planned; StudyError if there are none or the file is damaged."""
    path = results_folder(run) / "plan.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(run, found="no results", expected="a run that has been started",
                         do=f"Run `study run {run}` first") from None  # fmt: skip
    except ValueError:
        raise StudyError(path, found="not JSON", expected="a plan written by `study run`",
                         do=f"Run `study run {run}` again") from None  # fmt: skip
    if not isinstance(content, dict) or content.get("version") != VERSION:
        found = content.get("version") if isinstance(content, dict) else type(content).__name__
        raise StudyError(path, "version", found=repr(found), expected=str(VERSION),
                         do=f"Run `study run {run}` again")  # fmt: skip
    return content
