"""What a tuning mixture shows of a task.

In: the pools of a mixture, a task with its type. Out: an `Exposure`.
"""

from __future__ import annotations

from collections.abc import Collection

from study.config.tasks import Exposure
from study.tuning.data.sources import Pool


def exposure(pools: Collection[Pool], task: str, task_type: str) -> Exposure:
    """`seen_task` if a pool contains rows of the task, `unseen_task` if one contains only other
    tasks of the type, else `unseen_type`."""
    if any(task in pool.shows for pool in pools):
        return "seen_task"
    return "unseen_task" if any(pool.task_type == task_type for pool in pools) else "unseen_type"
