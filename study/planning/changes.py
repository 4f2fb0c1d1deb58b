"""What changed under a run that is half finished, and which of its cells that touches.

In: a new plan, and what the run's folder holds of an earlier one. Out: sentences. Nothing is ever
thrown away: cells that no longer fit stay in the folder and count no more, and are found again when
the change is undone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from study.errors import StudyError, listed
from study.planning.plan import Plan
from study.results.cell_store.store import Cells, results_folder
from study.results.ledger import POSITION, read_ledger
from study.results.provenance import versions


def changes(
    cells: Cells, done: frozenset[str], plan: Plan, rows: list[dict[str, Any]]
) -> Iterator[str]:
    """What to tell the user, who ran an earlier plan in this folder; `rows` are the new plan's in
    the ledger."""
    if (results_folder(cells.run) / "plan.json").is_file():
        try:
            before = read_ledger(cells.run)["rows"]
        except StudyError as error:
            yield f"what was planned before cannot be read, and is not compared with: {error}"
        else:
            yield from _replaced(cells, before, rows, done, plan)
    yield from _other_versions(cells, done, plan)


def _replaced(
    cells: Cells,
    before: list[dict[str, Any]],
    rows: list[dict[str, Any]],
    done: frozenset[str],
    plan: Plan,
) -> Iterator[str]:
    new = {_position(row): row["key"] for row in rows}
    identities = {cell.key: cell.identity for job in plan.jobs for cell in job.cells}
    dropped: set[str] = set()
    causes: Counter[str] = Counter()
    compared: dict[tuple[Any, ...], list[str]] = {}
    seen: set[str] = set()
    for row in before:
        old, now = row["key"], new.get(_position(row))
        if old not in done or old in seen or old in identities:
            continue
        seen.add(old)
        if now is None:
            dropped.add(old)
            continue
        alike = (row["model"], row["arm"], row["task"])
        if alike not in compared:
            was, after = cells.record(old)["identity"], identities[now] or {}
            compared[alike] = [_named(part, row) for part in _differing(was, after)]
        causes.update(compared[alike])
    if causes:
        why = "; ".join(f"{cause} ({count} cells)" for cause, count in causes.most_common())
        yield (
            f"{len(seen) - len(dropped)} finished cells no longer fit the study and are computed "
            f"anew, for this changed: {why}. The old ones are kept and count no more; undo the "
            "change to have them back"
        )
    if dropped:
        yield (
            f"{len(dropped)} finished cells are not asked for any more, or what they need is not "
            "at hand; they are kept and count no more"
        )


def _other_versions(cells: Cells, done: frozenset[str], plan: Plan) -> Iterator[str]:
    now = versions()
    models: dict[str, set[str]] = {}
    numbers: Counter[str] = Counter()
    for job in plan.jobs:
        for cell in job.cells:
            if cell.key in done:
                then = cells.record(str(cell.key))["provenance"]["versions"]
                for name in sorted(now.keys() | then.keys()):
                    if then.get(name) != now.get(name):
                        what = f"{name} {then.get(name)} (now {now.get(name)})"
                        models.setdefault(what, set()).add(job.model.name)
                        numbers[what] += 1
    for what, count in numbers.most_common():
        yield (
            f"{count} finished cells of {listed(sorted(models[what]), most=4)} were computed with "
            f"{what}. A version is no part of a cell's identity, and they are kept. For a study of "
            "one version only, install that one, or copy the study file to a new folder"
        )


def _position(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in POSITION)


def _differing(before: Any, after: Any, at: str = "") -> list[str]:
    """Places in an identity at which two differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            found
            for name in sorted(before.keys() | after.keys())
            for found in _differing(before.get(name), after.get(name), f"{at}.{name}".lstrip("."))
        ]
    return [] if before == after else [at]


def _named(part: str, row: dict[str, Any]) -> str:
    """A part of a cell's identity in words."""
    of_model = {"model.weights": "the weights of", "model.tokenizer": "the tokenizer of"}
    of_task = {
        "task.items": "the items of",
        "task.version": "the version of",
        "task.metric": "the metric of",
        "arm.demonstrations": "the demonstrations of",
    }
    if part in of_model:
        return f"{of_model[part]} {row['model']}"
    return f"{of_task[part]} {row['task']}" if part in of_task else part
