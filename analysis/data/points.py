"""The points that are correlated: one a pair, at the level of tasks, types, or all tasks.

In: the scores' frame, two arms, a level. Out: a data frame with `pair, family, params_b, task_type,
task, x, y, x_stderr, y_stderr, n_tasks`, one row per pair and task (or type).

Scores are averaged over draws, then made chance-normalised (contract.py; where chance is unknown
they stay as they are), then averaged over the tasks of a type, or over all. A pair that lacks one
of the tasks in either arm is left out there. Standard errors cover the sampling of items: draws ask
the same items, so theirs are averaged, and those of different tasks are independent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.data.families import Families
from study.results.schema import LEVELS

PAIR = ["pair", "family", "params_b"]


def arm_scores(scores: pd.DataFrame, arm: str) -> pd.DataFrame:
    """One row per pair and task: the arm's chance-normalised score, averaged over draws."""
    own = scores[scores["arm"] == arm]
    if own.empty:
        there = ", ".join(sorted(scores["arm"].unique()))
        raise ValueError(f"no scores of arm {arm!r}; there are {there}")
    by = [*PAIR, "task_type", "task"]
    averaged = own.groupby(by, sort=True, as_index=False, dropna=False).agg(
        score=("score", "mean"), stderr=("stderr", "mean")
    )
    chance = averaged["task"].map(chances(scores))
    averaged["score"] = (averaged["score"] - chance) / (1.0 - chance)
    averaged["stderr"] = averaged["stderr"] / (1.0 - chance)
    return averaged


def chances(scores: pd.DataFrame) -> pd.Series:
    """The chance level of every task, from whichever row has it; 0 where none does."""
    known: pd.Series = scores.groupby("task")["chance"].max().fillna(0.0)
    return known


def contrast_points(
    scores: pd.DataFrame, *, x_arm: str, y_arm: str, level: str = "type"
) -> pd.DataFrame:
    """The points of a contrast; ValueError for an unknown arm or level."""
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
    wanted = both.groupby("task_type")["task"].nunique()
    groups = both.groupby([*PAIR, "task_type"], sort=True, as_index=False)
    means = groups.agg(
        x=("x", "mean"),
        y=("y", "mean"),
        x_stderr=("x_stderr", _stderr_of_mean),
        y_stderr=("y_stderr", _stderr_of_mean),
        n_tasks=("task", "nunique"),
    )
    complete = means[means["n_tasks"] == means["task_type"].map(wanted)]
    return complete.assign(task="").reset_index(drop=True)


@dataclass(frozen=True)
class Group:
    """The scores that one row of correlations is about; arrays are [pairs, tasks]."""

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
    "By task; scores are normalised by it."

    @property
    def task(self) -> str:
        """The task's name at the level of tasks, else empty."""
        return self.tasks[0] if self.level == "task" else ""


def groups(scores: pd.DataFrame, *, x_arm: str, y_arm: str) -> Iterator[Group]:
    """All tasks together, each type, each task; only pairs that have every task of the group.

    Nothing at all where no pair has both arms on any task.
    """
    points = contrast_points(scores, x_arm=x_arm, y_arm=y_arm, level="task")
    if points.empty:
        return
    about: dict[str, Any] = {"x_arm": x_arm, "y_arm": y_arm, "chances": chances(scores)}
    yield _group(points, "overall", "", **about)
    for task_type, own in points.groupby("task_type", sort=True):
        yield _group(own, "type", str(task_type), **about)
    for key, own in points.groupby(["task_type", "task"], sort=True):
        yield _group(own, "task", str(key[0]), **about)


def _group(
    points: pd.DataFrame, level: str, task_type: str, *, x_arm: str, y_arm: str, chances: pd.Series
) -> Group:
    values = ["x", "y", "x_stderr", "y_stderr"]
    wide = points.pivot(index="pair", columns="task", values=values)
    wide = wide[wide[["x", "y"]].notna().all(axis=1)]
    about = points.drop_duplicates("pair").set_index("pair").loc[wide.index]
    return Group(
        level=level,
        task_type=task_type,
        tasks=tuple(wide["x"].columns),
        pairs=tuple(wide.index),
        families=Families.of(list(about["family"])),
        params_b=about["params_b"].to_numpy(dtype=float),
        **{value: wide[value].to_numpy(dtype=float) for value in values},
        x_arm=x_arm,
        y_arm=y_arm,
        chance=tuple(float(chances[task]) for task in wide["x"].columns),
    )


def _stderr_of_mean(stderrs: pd.Series) -> float:
    return float(np.sqrt((stderrs**2).sum(skipna=False)) / len(stderrs))
