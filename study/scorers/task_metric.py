"""A task's own metric: which of its values is the score, and its standard error.

In: a task, its metric as the study names it, values by item. Out: a score's metric, filter and
standard error, all of them lm-eval's own.
"""

from __future__ import annotations

from typing import Any

from study.tasks.lm_eval.types import LmEvalTask

BOOTSTRAP_ITERATIONS = 1000
"Of lm-eval's bootstrap, for metrics without a closed-form standard error."


def metric_and_filter(metric: str, filters: dict[str, Any]) -> tuple[str, str]:
    """Split `acc` or `exact_match,strict-match`; ValueError unless it names one of the filters, or
    there is only one."""
    name, _, wanted = metric.partition(",")
    if wanted and wanted not in filters:
        raise ValueError(f"no filter {wanted!r}; the task has {', '.join(filters)}")
    if not wanted and len(filters) > 1:
        raise ValueError(f"{metric!r} names no filter; the task has {', '.join(filters)}")
    return name, wanted or next(iter(filters))


def standard_error(task: LmEvalTask, metric: str, values: list[Any], scale: float) -> float | None:
    """lm-eval's standard error of the metric over items, times `scale`; None if it has none."""
    from lm_eval.api.metrics import stderr_for_metric

    estimator = stderr_for_metric(task.aggregation()[metric], bootstrap_iters=BOOTSTRAP_ITERATIONS)
    return float(estimator(values)) * scale if estimator and len(values) > 1 else None
