"""The measurement error variance of a group's scores.

In: a `Group`, and item scores if there are any. Out: `ErrorVariance`, from which correlations are
disattenuated (statistics/disattenuation) and latent regression lines drawn.
"""

from __future__ import annotations

import numpy as np

from analysis.data.items import ItemScores
from analysis.data.points import Group
from analysis.statistics.disattenuation.error_variance import ErrorVariance, TaskScores


def group_error_variance(group: Group, items: ItemScores | None) -> ErrorVariance | None:
    """Error variance from item scores if every task has them, else from standard errors.

    None if some standard error is unknown as well.
    """
    tasks = _task_scores(group, items)
    known = np.isfinite(group.x_stderr).all() and np.isfinite(group.y_stderr).all()
    if tasks is None and not known:
        return None
    return ErrorVariance(group.x_stderr, group.y_stderr, tasks)


def _task_scores(group: Group, items: ItemScores | None) -> tuple[TaskScores, ...] | None:
    """Item scores of every task of the group; None if one has none."""
    if items is None or len(group.pairs) < 3:
        return None
    tasks = []
    for task, chance in zip(group.tasks, group.chance, strict=True):
        both = items.both(group.x_arm, group.y_arm, task, group.pairs)
        if both is None or len(both[0].items) < 2:
            return None
        x, y = both
        tasks.append(TaskScores(x.scores, y.scores, items.clusters(task, x.items), chance))
    return tuple(tasks)
