"""What the tuned models solve against what their bases solve: `tables/agreement.csv`.

In: the scores' frame, the contrasts, item scores. Out: one row per contrast, group of tasks and
quantity (agreement.py), over all pairs of the group:

    base_given_tuned   of the items that the tuned model solves, the share its base solves (arm x)
    tuned_given_base   the reverse
    gained, lost       of all items, those that only one of the two solves
    kappa              error consistency, the mean over pairs and tasks where it is defined
    only_tuned         of all items, those that the tuned model solves and its base in none of its
                       arms and draws

Groups are all tasks, each type, and each exposure of the tuning mixture. Intervals resample items,
the same for all pairs, within their tasks: they cover items, and speak of these pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.agreement import error_consistency
from analysis.items import ItemScores
from analysis.points import contrast_points
from study.design import Contrast

Floats = NDArray[np.float64]
COLUMNS = ["contrast", "group", "n_pairs", "n_tasks", "n_items", "quantity", "estimate", "low",
           "high", "covers", "note"]  # fmt: skip
DRAWS, SEED = 2_000, 0


@dataclass(frozen=True)
class _Task:
    """One task's items, summed over pairs; draws averaged. Arrays are one long per item."""

    pairs: int
    both: Floats
    base: Floats
    tuned: Floats
    only: Floats
    "Tuned and no arm or draw of the base."
    kappas: list[float]


def overlap(scores: pd.DataFrame, contrasts: Sequence[Contrast], items: ItemScores) -> pd.DataFrame:
    """All rows; none for contrasts and tasks whose items are not right or wrong on both sides."""
    rows: list[dict[str, Any]] = []
    exposures = scores.drop_duplicates("task").set_index("task")["exposure"]
    for contrast in contrasts:
        points = contrast_points(scores, x_arm=contrast.x, y_arm=contrast.y, level="task")
        tasks = {
            str(task): found
            for task, own in points.groupby("task", sort=True)
            if (found := _task(contrast, str(task), list(own["pair"]), scores, items)) is not None
        }
        types = points.drop_duplicates("task").set_index("task")["task_type"]
        for group, names in _groups(list(tasks), types, exposures):
            about = {"contrast": contrast.name, "group": group}
            rows += [{**about, **row} for row in _rows([tasks[name] for name in names])]
    return pd.DataFrame(rows, columns=COLUMNS)


def _groups(
    tasks: list[str], types: pd.Series, exposures: pd.Series
) -> Iterator[tuple[str, list[str]]]:
    if tasks:
        yield "all tasks", tasks
    for label, of in (("", types), ("exposure: ", exposures)):
        values = sorted({str(of[task]) for task in tasks} - {""})
        for value in values:
            yield f"{label}{value}", [task for task in tasks if of[task] == value]


def _task(
    contrast: Contrast, task: str, pairs: list[str], scores: pd.DataFrame, items: ItemScores
) -> _Task | None:
    x, y = items.of(contrast.x, task, pairs), items.of(contrast.y, task, pairs)
    if x is None or y is None or x.shape[2] != y.shape[2]:
        return None
    if not all(np.isin(side, (0.0, 1.0)).all() for side in (x, y)):
        return None
    role = contrast.x.split("-")[0]
    arms = sorted(scores.loc[(scores["role"] == role) & (scores["task"] == task), "arm"].unique())
    ways = [w for arm in arms if (w := items.of(arm, task, pairs)) is not None]
    ways = [w for w in ways if w.shape[2] == x.shape[2]]
    any_way = np.max([w.max(1) for w in ways], axis=0)
    # Every draw of one side against every draw of the other.
    base, tuned = x.mean(1), y.mean(1)
    kappas = [
        error_consistency(a, b)
        for a_draws, b_draws in zip(x, y, strict=True)
        for a in a_draws
        for b in b_draws
    ]
    return _Task(
        pairs=len(pairs),
        both=(base * tuned).sum(0),
        base=base.sum(0),
        tuned=tuned.sum(0),
        only=(tuned * (1 - any_way)).sum(0),
        kappas=kappas,
    )


def _rows(tasks: list[_Task]) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(SEED)
    # Tasks count alike, whatever their number of items.
    sums = np.stack([_resampled(task, rng) / len(task.base) for task in tasks]).sum(0)
    n = sum(task.pairs for task in tasks)
    shared = {
        "n_pairs": max(task.pairs for task in tasks),
        "n_tasks": len(tasks),
        "n_items": sum(len(task.base) for task in tasks),
        "covers": "items",
        "note": "",
    }
    both, base, tuned, only = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {
            "base_given_tuned": both / tuned,
            "tuned_given_base": both / base,
            "gained": (tuned - both) / n,
            "lost": (base - both) / n,
            "only_tuned": only / n,
        }
    for quantity, values in found.items():
        low = high = math.nan
        if np.isfinite(values).all():
            low, high = (float(end) for end in np.quantile(values[1:], (0.025, 0.975)))
        note = "" if math.isfinite(values[0]) else "undefined: no such item"
        yield {**shared, "quantity": quantity, "estimate": float(values[0]), "low": low,
               "high": high, "note": note}  # fmt: skip
    kappas = [kappa for task in tasks for kappa in task.kappas if math.isfinite(kappa)]
    undefined = sum(len(task.kappas) for task in tasks) - len(kappas)
    yield {
        **shared,
        "quantity": "kappa",
        "estimate": float(np.mean(kappas)) if kappas else math.nan,
        "low": math.nan,
        "high": math.nan,
        "covers": "",
        "note": f"undefined for {undefined} of {undefined + len(kappas)}" if undefined else "",
    }


def _resampled(task: _Task, rng: np.random.Generator) -> Floats:
    """Sums [1 + draws, 4] of both, base, tuned, only: over items, then over items drawn anew."""
    n = len(task.base)
    table = np.column_stack([task.both, task.base, task.tuned, task.only])
    counts = rng.multinomial(n, np.full(n, 1 / n), size=DRAWS)
    return np.vstack([table.sum(0), counts @ table])


def overlap_text(frame: pd.DataFrame) -> str:
    """For the terminal: the first contrast's groups."""
    if frame.empty:
        return ""
    contrast = frame["contrast"].iloc[0]
    lines = [f"{contrast}, item by item: of what tuned models solve, their bases solve …"]
    wide = frame[frame["contrast"] == contrast].set_index(["group", "quantity"])
    for group in wide.index.get_level_values(0).unique():
        row = wide.loc[(group, "base_given_tuned")]
        only = wide.loc[(group, "only_tuned"), "estimate"]
        kappa = wide.loc[(group, "kappa"), "estimate"]
        lines.append(
            f"  {group:<24}{100 * row['estimate']:>4.0f} % [{100 * row['low']:.0f}, "
            f"{100 * row['high']:.0f}]   in no way {100 * only:>3.0f} % of all items   "
            f"κ {kappa:.2f}"
        )
    return "\n".join([*lines, ""])
