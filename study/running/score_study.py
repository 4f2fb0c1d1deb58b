"""The scoring pass: scores of all responses that are stored and not scored yet.

In: a `PlannedStudy`. Out: an event for each cell, and its scores in the store. No model is loaded:
a metric that failed, or a scorer that was changed, costs no new responses.
"""

from __future__ import annotations

from collections.abc import Iterator

from study.errors import StudyError
from study.planning.plan_study import PlannedStudy
from study.running.cells.score_cell import score_cell
from study.running.cells.task_cache import TaskCache
from study.running.events import Event
from study.tasks.lm_eval.library import task_library


def score_study(planned: PlannedStudy) -> Iterator[Event]:
    """Score every cell that has responses and no score; a failure does not stop the rest.

    StudyError if scores cannot be written.
    """
    run, cells = planned.resolved.run, planned.unscored()
    tasks = TaskCache(run, task_library(run.study)) if cells else None
    for cell in cells:
        assert tasks is not None
        try:
            items = score_cell(run, tasks, cell)
        except StudyError:
            raise
        except Exception as error:  # a task's own code may raise anything
            reason = f"{type(error).__name__}: {error}"
            yield Event("failed", cell.model.name, cell.describe(), reason)
        else:
            yield Event("cell", cell.model.name, cell.describe(), items=items)
