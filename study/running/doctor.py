"""Checks before a study is run: everything is available, fits, and can be written.

In: a `PlannedStudy` and an executor. Out: findings, with what to do about each problem, and the
cost. Nothing is loaded or computed; the executor checks its own resources.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator

from study.config.arms import parse_arm
from study.errors import listed
from study.models.pair_checks import swapped_pairs
from study.models.weights import ModelFacts
from study.planning.cost.estimate import Estimate, estimate
from study.planning.plan_report import cost_lines, in_bytes, missing
from study.planning.plan_study import PlannedStudy
from study.planning.staging import not_locked
from study.results.lock import FILE_NAME as LOCK_NAME
from study.running.executors.base import Executor, Finding, findings

Check = Callable[[PlannedStudy, Estimate], Iterator[str]]
"Yields problems, each with what to do."


def examine(planned: PlannedStudy, executor: Executor) -> Iterator[Finding]:
    """Run all checks; yields the findings of each."""
    remaining = estimate(planned.resolved, planned.plan, planned.evaluated())
    for check, problems in CHECKS.items():
        yield from findings(check, problems(planned, remaining))
    yield from executor.check(planned, remaining)


def findings_text(examined: Iterable[Finding]) -> str:
    """Findings for the terminal, a line each."""
    lines = []
    for finding in examined:
        state, problem = ("problem", f": {finding.problem}") if finding.problem else ("ok", "")
        lines.append(f"{state:<8} {finding.check}{problem}")
    return "\n".join(lines)


def cost_text(planned: PlannedStudy) -> str:
    """What the remaining cells cost."""
    return "\n".join(
        cost_lines(planned, estimate(planned.resolved, planned.plan, planned.evaluated()))
    )


def _missing(planned: PlannedStudy, remaining: Estimate) -> Iterator[str]:
    yield from missing(planned)


def _unlocked(planned: PlannedStudy, remaining: Estimate) -> Iterator[str]:
    run = planned.resolved.run
    if absent := not_locked(run):
        yield f"none for {listed(absent, most=6)}. Run `study stage {run.folder}`"


def _templates(planned: PlannedStudy, remaining: Estimate) -> Iterator[str]:
    arms = [parse_arm(name) for name in planned.resolved.study.arm_names()]
    roles = {arm.role for arm in arms if arm.template}
    for pair in planned.resolved.pairs:
        for role in sorted(roles):
            facts = planned.resolved.models[pair.member(role)]
            if isinstance(facts, ModelFacts) and not facts.has_template:
                yield (
                    f"{pair.member(role).name} has none. Use an arm without `-chat`, or add the "
                    "template that the model's authors publish"
                )


def _pairs(planned: PlannedStudy, remaining: Estimate) -> Iterator[str]:
    yield from swapped_pairs(planned.resolved.pairs, planned.resolved.models)


def _disk(planned: PlannedStudy, remaining: Estimate) -> Iterator[str]:
    results = planned.resolved.run.results
    existing = next(path for path in (results, *results.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        yield f"{existing}: {error.strerror}; change its permissions"
        return
    free = shutil.disk_usage(existing).free
    if free < remaining.disk:
        yield (
            f"{existing}: {in_bytes(free)} free, about {in_bytes(remaining.disk)} needed; free "
            "space"
        )


CHECKS: dict[str, Check] = {
    "models and data on this machine": _missing,
    f"entries of {LOCK_NAME}": _unlocked,
    "chat templates": _templates,
    "base and tuned": _pairs,
    "folder of the results": _disk,
}
"The checks that do not depend on the executor."
