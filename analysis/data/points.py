"""The points that are correlated: one per pair, at the level of a task, a type, or all tasks.

In: the frame of scores, two arms, a level. Out: a data frame with `pair, family, params_b,
task_type, task, x, y, x_stderr, y_stderr, n_tasks`, one row per pair and task (or type); or the
same as arrays, `Group`.

Scores are averaged over draws, then chance-normalised (study.results.schema; unchanged where chance
is unknown), then averaged over the tasks of a type, or over all tasks. A pair that lacks one of the
tasks in either arm is dropped there. Standard errors cover the sampling of items: all draws have
the same items, so their standard errors are averaged; those of different tasks are independent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.statistics.families import Families
from study.results.schema import LEVELS

Ints = NDArray[np.int64]
PAIR = ["pair", "family", "params_b"]
"Columns that describe a pair."
VALUES = ["x", "y", "x_stderr", "y_stderr"]


def arm_scores(scores: pd.DataFrame, arm: str) -> pd.DataFrame:
    """One row per pair and task: the arm's chance-normalised score, averaged over draws.

    ValueError if there are no scores of the arm.
    """
    selected = scores[scores["arm"] == arm]
    if selected.empty:
        arms = ", ".join(sorted(scores["arm"].unique()))
        raise ValueError(f"no scores of arm {arm!r}; there are {arms}")
    by = [*PAIR, "task_type", "task"]
    averaged = selected.groupby(by, sort=True, as_index=False, dropna=False).agg(
        score=("score", "mean"), stderr=("stderr", "mean")
    )
    chance = averaged["task"].map(chances(scores))
    averaged["score"] = (averaged["score"] - chance) / (1.0 - chance)
    averaged["stderr"] = averaged["stderr"] / (1.0 - chance)
    return averaged


def chances(scores: pd.DataFrame) -> pd.Series:
    """Chance level of every task, from any row that has it; 0 where none does."""
    levels: pd.Series = scores.groupby("task")["chance"].max().fillna(0.0)
    return levels


def contrast_points(
    scores: pd.DataFrame, *, x_arm: str, y_arm: str, level: str = "type"
) -> pd.DataFrame:
    """Points of a contrast, one per pair and task, type, or pair alone.

    `level` is "task", "type" or "overall". ValueError for an unknown arm or level.
    """
    if level not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}; found {level!r}")
    x, y = arm_scores(scores, x_arm), arm_scores(scores, y_arm)
    keys = [*PAIR, "task_type", "task"]
    both = x.merge(y, on=keys, suffixes=("_x", "_y"))
    both = both.rename(
        columns={"score_x": "x", "score_y": "y", "stderr_x": "x_stderr", "stderr_y": "y_stderr"}
    )
    if level == "task":
        return both.assign(n_tasks=1)
    if level == "overall":
        both = both.assign(task_type="")
    expected = both.groupby("task_type")["task"].nunique()
    grouped = both.groupby([*PAIR, "task_type"], sort=True, as_index=False)
    means = grouped.agg(
        x=("x", "mean"),
        y=("y", "mean"),
        x_stderr=("x_stderr", _stderr_of_mean),
        y_stderr=("y_stderr", _stderr_of_mean),
        n_tasks=("task", "nunique"),
    )
    complete = means[means["n_tasks"] == means["task_type"].map(expected)]
    return complete.assign(task="").reset_index(drop=True)


@dataclass(frozen=True)
class Group:
    """Scores of one row of the correlations table; arrays are [pairs, tasks]."""

    level: str
    task_type: str
    tasks: tuple[str, ...]
    pairs: tuple[str, ...]
    families: Families
    params_b: NDArray[np.float64]
    "[pairs]"
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    x_stderr: NDArray[np.float64]
    y_stderr: NDArray[np.float64]
    x_arm: str
    y_arm: str
    chance: tuple[float, ...]
    "Chance level of each task, by which the scores are normalised."

    @property
    def problem(self) -> str:
        """Why nothing can be estimated where there is no pair, for notes; '' where there are."""
        of = f"all {len(self.tasks)} tasks" if len(self.tasks) > 1 else "the task"
        return "" if self.pairs else f"not estimable: no pair has scores on {of} in both arms"

    @property
    def task(self) -> str:
        """The task's name at the level of tasks, otherwise empty."""
        return self.tasks[0] if self.level == "task" else ""


def groups(scores: pd.DataFrame, *, x_arm: str, y_arm: str) -> Iterator[Group]:
    """Yield the group of all tasks, of each type, and of each task.

    A group holds the pairs that have all its tasks in both arms, which may be none (`problem`).
    Yields nothing if no pair has both arms on any task.
    """
    points = contrast_points(scores, x_arm=x_arm, y_arm=y_arm, level="task")
    if points.empty:
        return
    table = _PointTable(points, x_arm, y_arm, chances(scores))
    everything = np.arange(len(points))
    yield table.group(everything, "overall", "")
    by_type = [everything[table.type_of == i] for i in range(len(table.types))]
    for name, rows in zip(table.types, by_type, strict=True):
        yield table.group(rows, "type", name)
    for name, rows in zip(table.types, by_type, strict=True):
        for task in np.unique(table.task_of[rows]):
            yield table.group(rows[table.task_of[rows] == task], "task", name)


class _PointTable:
    """The points of a contrast at the level of tasks, as arrays over its rows."""

    def __init__(self, points: pd.DataFrame, x_arm: str, y_arm: str, chances: pd.Series) -> None:
        """ValueError if a pair has two scores on one task."""
        self.pair_of, self.pairs = _codes(points["pair"])
        self.task_of, self.tasks = _codes(points["task"])
        self.type_of, self.types = _codes(points["task_type"])
        self.values = points[VALUES].to_numpy(dtype=float)
        self.families = points["family"].tolist()
        self.params_b = points["params_b"].to_numpy(dtype=float)
        self.chance = [float(chances[task]) for task in self.tasks]
        self.x_arm, self.y_arm = x_arm, y_arm
        if len(np.unique(self.pair_of * len(self.tasks) + self.task_of)) < len(points):
            raise ValueError(f"a pair has two scores on one task in {x_arm} or {y_arm}")

    def group(self, rows: Ints, level: str, task_type: str) -> Group:
        """The group of some rows: all their tasks, and the pairs that have all of them."""
        tasks, columns = np.unique(self.task_of[rows], return_inverse=True)
        wide = np.full((len(self.pairs), len(tasks), len(VALUES)), np.nan)
        wide[self.pair_of[rows], columns] = self.values[rows]
        pairs = np.flatnonzero(~np.isnan(wide[:, :, :2]).any((1, 2)))
        first_row = np.zeros(len(self.pairs), dtype=np.int64)
        first_row[self.pair_of[rows[::-1]]] = rows[::-1]
        about = first_row[pairs]
        arrays = np.ascontiguousarray(np.moveaxis(wide[pairs], 2, 0))
        return Group(
            level=level,
            task_type=task_type,
            tasks=tuple(self.tasks[task] for task in tasks),
            pairs=tuple(self.pairs[pair] for pair in pairs),
            families=Families.of([self.families[row] for row in about]),
            params_b=self.params_b[about],
            **dict(zip(VALUES, arrays, strict=True)),
            x_arm=self.x_arm,
            y_arm=self.y_arm,
            chance=tuple(self.chance[task] for task in tasks),
        )


def _codes(names: pd.Series) -> tuple[Ints, list[str]]:
    """Index of each name among the different names in alphabetical order, and these."""
    codes, different = pd.factorize(names, sort=True)
    return codes.astype(np.int64), [str(name) for name in different]


def _stderr_of_mean(stderrs: pd.Series) -> float:
    return float(np.sqrt((stderrs**2).sum(skipna=False)) / len(stderrs))
