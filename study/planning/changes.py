"""What changed in a half-finished run, and which of its cells that affects.

In: a new plan, and what the run folder holds of an earlier one. Out: messages. Nothing is ever
deleted: cells that no longer belong to the study stay in the folder without being counted, and
count again when the change is undone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from study.errors import StudyError, listed
from study.planning.ledger_rows import ledger_rows
from study.planning.plan_study import PlannedStudy
from study.results.identity import VERSION
from study.results.ledger import position
from study.results.provenance import versions

MODEL_PARTS = {
    "responses.model.weights": "the weights of",
    "responses.model.tokenizer": "the tokenizer of",
    "responses.model.generation": "the generation_config.json of",
}
TASK_PARTS = {
    "responses.prompts.task.items": "the items of",
    "responses.prompts.task.documents": "the documents of",
    "responses.prompts.task.configuration": "the configuration or code of the prompts of",
    "responses.prompts.task.version": "the version of",
    "responses.prompts.demonstrations": "the demonstrations of",
    "scorer.configuration": "the configuration or code of the scores of",
    "scorer.metric": "the metric of",
}
"Parts of a cell's identity in messages."


def changes(planned: PlannedStudy) -> Iterator[str]:
    """Messages for a user who ran an earlier plan in the same folder."""
    run = planned.resolved.run
    if run.ledger_file.is_file():
        try:
            earlier = run.ledger.rows
        except StudyError as error:
            yield f"the earlier plan cannot be read, so changes are not reported: {error}"
        else:
            if run.ledger.is_current:
                yield from _superseded(planned, earlier)
            else:
                yield from _of_earlier_identity(planned, earlier)
    yield from _other_versions(planned)


def _of_earlier_identity(planned: PlannedStudy, earlier: list[dict[str, Any]]) -> Iterator[str]:
    """Finished cells whose keys do not hold everything that can move a score."""
    if count := len({row["key"] for row in earlier} & planned.resolved.run.cells.done()):
        yield (
            f"{count} finished cells have identity version 1, which does not hold everything that "
            f"can move a score (see docs/identity.md); this package writes version {VERSION}. They "
            "are kept and not counted; the study is recomputed"
        )


def _superseded(planned: PlannedStudy, earlier: list[dict[str, Any]]) -> Iterator[str]:
    """Finished cells of the earlier plan that are not part of the new one."""
    rows = ledger_rows(planned.resolved, planned.plan)
    new = {position(row): row["key"] for row in rows}
    identities = {cell.key: cell.identity for job in planned.plan.jobs for cell in job.cells}
    dropped: set[str] = set()
    seen: set[str] = set()
    causes: Counter[str] = Counter()
    differences: dict[tuple[Any, ...], list[str]] = {}
    for row in earlier:
        key, new_key = row["key"], new.get(position(row))
        if key not in planned.done or key in seen or key in identities:
            continue
        seen.add(key)
        if new_key is None:
            dropped.add(key)
            continue
        group = (row["model"], row["arm"], row["task"])
        if group not in differences:
            old_identity = planned.resolved.run.cells.record(key)["identity"]
            parts = _differing(old_identity, identities[new_key] or {})
            differences[group] = [_describe(part, row) for part in parts]
        causes.update(differences[group])
    if causes:
        reasons = "; ".join(f"{cause} ({count} cells)" for cause, count in causes.most_common())
        yield (
            f"{len(seen) - len(dropped)} finished cells no longer fit the study and are "
            f"recomputed, because this changed: {reasons}. The old cells are kept; undo the change "
            "to use them again"
        )
    if dropped:
        yield (
            f"{len(dropped)} finished cells are no longer part of the study, or what they need is "
            "not available; they are kept, but not counted"
        )


def _other_versions(planned: PlannedStudy) -> Iterator[str]:
    """Finished cells that were computed with other package versions."""
    installed = versions()
    models: dict[str, set[str]] = {}
    counts: Counter[str] = Counter()
    for job in planned.plan.jobs:
        for cell in job.cells:
            if cell.key in planned.done:
                record = planned.resolved.run.cells.record(str(cell.key))
                for what in _differing_versions(record, installed):
                    models.setdefault(what, set()).add(job.model.name)
                    counts[what] += 1
    for what, count in counts.most_common():
        yield (
            f"{count} finished cells of {listed(sorted(models[what]), most=4)} were computed with "
            f"{what}. Versions are not part of a cell's identity, so the cells are kept. For a "
            "study with one version only, install that version, or copy the study file to a new "
            "folder"
        )


def _differing_versions(record: dict[str, Any], installed: dict[str, str | None]) -> set[str]:
    """Packages of another version, when the responses were computed or when they were scored."""
    return {
        f"{name} {used.get(name)} (now {installed.get(name)})"
        for used in (record["provenance"]["versions"], record["scored"]["versions"])
        for name in installed.keys() | used.keys()
        if used.get(name) != installed.get(name)
    }


def _differing(before: Any, after: Any, location: str = "") -> list[str]:
    """Locations at which two identities differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            part
            for name in sorted(before.keys() | after.keys())
            for part in _differing(
                before.get(name), after.get(name), f"{location}.{name}".lstrip(".")
            )
        ]
    return [] if before == after else [location]


def _describe(part: str, row: dict[str, Any]) -> str:
    if part in MODEL_PARTS:
        return f"{MODEL_PARTS[part]} {row['model']}"
    if part in TASK_PARTS:
        return f"{TASK_PARTS[part]} {row['task']}"
    return part.removeprefix("responses.").removeprefix("prompts.")
