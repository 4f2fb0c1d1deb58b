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
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.statistics.families import Families
from study.results.schema import LEVELS

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
    about: dict[str, Any] = {"x_arm": x_arm, "y_arm": y_arm, "chances": chances(scores)}
    yield _group(points, "overall", "", **about)
    for task_type, rows in points.groupby("task_type", sort=True):
        yield _group(rows, "type", str(task_type), **about)
    for key, rows in points.groupby(["task_type", "task"], sort=True):
        yield _group(rows, "task", str(key[0]), **about)


def _group(
    points: pd.DataFrame, level: str, task_type: str, *, x_arm: str, y_arm: str, chances: pd.Series
) -> Group:
    wide = points.pivot(index="pair", columns="task", values=VALUES)
    wide = wide[wide[["x", "y"]].notna().all(axis=1)]
    about = points.drop_duplicates("pair").set_index("pair").loc[wide.index]
    return Group(
        level=level,
        task_type=task_type,
        tasks=tuple(wide["x"].columns),
        pairs=tuple(wide.index),
        families=Families.of(list(about["family"])),
        params_b=about["params_b"].to_numpy(dtype=float),
        **{value: wide[value].to_numpy(dtype=float) for value in VALUES},
        x_arm=x_arm,
        y_arm=y_arm,
        chance=tuple(float(chances[task]) for task in wide["x"].columns),
    )


def _stderr_of_mean(stderrs: pd.Series) -> float:
    return float(np.sqrt((stderrs**2).sum(skipna=False)) / len(stderrs))
