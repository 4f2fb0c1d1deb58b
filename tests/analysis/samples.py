"""Simulated scores and published data sets that several tests of the analysis share."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.data.items import AlignedItems, ItemScores
from analysis.statistics.families import Families
from analysis.statistics.items.clustered_errors import standard_error
from study.config.analysis import Contrast
from study.results.schema import SCORES

DATA = Path(__file__).parent.parent / "data"
Floats = NDArray[np.float64]
X, Y = "base-5shot", "tuned-0shot-chat"
IN_CONTEXT = Contrast(name="in-context", x=X, y=Y)
CONTRASTS = [IN_CONTEXT, Contrast(name="zero-shot", x="base-0shot", y=Y)]
SEEDS = st.integers(0, 10_000)
several = settings(max_examples=25, deadline=None)


def anchor(name: str) -> pd.DataFrame:
    """A published data set (tests/data/README.md)."""
    return pd.read_csv(DATA / "anchors" / f"{name}.csv")


def scores_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows with at least `pair`, `arm`, `task` and `score`, as a frame of scores."""
    defaults = {
        "family": "f", "params_b": 1.0, "model": "m", "task_type": "t", "exposure": "",
        "stderr": 0.03, "n_items": 100, "chance": 0.0, "metric": "acc", "source": "simulated",
    }  # fmt: skip
    complete = [{**defaults, "draw": None, "role": row["arm"].split("-")[0], **row} for row in rows]
    return pd.DataFrame(complete)[list(SCORES)].astype(SCORES)


def few_shot_scores() -> pd.DataFrame:
    """12 pairs of 5 families, 4 tasks of 2 types, 2 draws of the few-shot arm."""
    rng = np.random.default_rng(42)
    tasks = (
        ("a", "strings", 0.25),
        ("b", "strings", 0.5),
        ("c", "facts", 0.0),
        ("d", "facts", 0.2),
    )
    arms: tuple[tuple[str, tuple[int | None, ...], float], ...] = (
        (X, (0, 1), 0.1),
        ("base-0shot", (None,), 0.0),
        (Y, (None,), 0.1),
    )
    rows = []
    for i in range(12):
        ability = rng.normal(0.6, 0.15)
        for task, task_type, chance in tasks:
            for arm, draws, lift in arms:
                for draw in draws:
                    score = float(np.clip(ability + lift + rng.normal(0, 0.05), 0, 1))
                    rows.append(
                        {
                            "pair": f"p{i}",
                            "family": f"f{i % 5}",
                            "params_b": 0.1 * (i + 1),
                            "model": f"m{i}-{arm}",
                            "arm": arm,
                            "task": task,
                            "task_type": task_type,
                            "draw": draw,
                            "score": score,
                            "chance": chance,
                        }
                    )
    return scores_frame(rows)


def item_study(
    *, pairs: int = 15, tasks: int = 6, items: int = 60
) -> tuple[pd.DataFrame, ItemScores]:
    """Pairs of 5 families, tasks of 2 types and exposures, items right or wrong, three arms."""
    rng = np.random.default_rng(11)
    ability = rng.normal(0, 0.6, pairs) + rng.normal(0, 0.4, 5)[np.arange(pairs) % 5]
    names = tuple(f"p{i:02d}" for i in range(pairs))
    rows, by_arm_and_task = [], {}
    for task in range(tasks):
        difficulty = rng.normal(0, 0.5, items)
        skill = rng.normal(0, 0.4, pairs)
        for arm in (X, "base-0shot", Y):
            logits = ability + skill * (arm != "base-0shot") + rng.normal(0, 0.2, pairs)
            noise = rng.normal(0, 1, (pairs, items))
            right = (logits[:, None] + difficulty + noise > 0).astype(float)
            by_arm_and_task[arm, f"t{task}"] = AlignedItems(names, np.arange(items), right[:, None])
            rows += [
                {
                    "pair": name,
                    "family": f"f{i % 5}",
                    "params_b": 2.0 ** (i // 5),
                    "arm": arm,
                    "task": f"t{task}",
                    "task_type": f"type{task % 2}",
                    "exposure": ("seen_task", "unseen_task")[task % 2],
                    "score": float(item_scores.mean()),
                    "stderr": standard_error(item_scores),
                    "n_items": items,
                }
                for i, (name, item_scores) in enumerate(zip(names, right, strict=True))
            ]
    return scores_frame(rows), ItemScores(by_arm_and_task)


def family_pairs(
    rng: np.random.Generator, *, families: int, sizes: tuple[int, int], icc: float, rho: float
) -> tuple[Floats, Floats, Families]:
    """x and y of pairs in families; family effects and residuals have the same correlation."""
    labels, x, y = [], [], []
    covariance = np.array([[1.0, rho], [rho, 1.0]])
    for family in range(families):
        effect = rng.multivariate_normal([0, 0], icc * covariance)
        for _ in range(int(rng.integers(*sizes))):
            scores = effect + rng.multivariate_normal([0, 0], (1 - icc) * covariance)
            labels.append(f"f{family}")
            x.append(scores[0])
            y.append(scores[1])
    return np.array(x), np.array(y), Families.of(labels)


def related_pairs(seed: int, *, families: int = 6, slope: float = 0.6) -> tuple[Any, Any, Families]:
    """x and y of pairs in families of 1 to 5, with family effects and a slope of y on x."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, families)
    labels = np.repeat([f"f{i}" for i in range(families)], sizes)
    effects = np.repeat(rng.normal(size=families), sizes)
    x = effects + rng.normal(size=len(labels))
    return x, slope * x + effects + rng.normal(size=len(labels)), Families.of(labels.tolist())


def right_or_wrong(seed: int, *shape: int, share: float = 0.5) -> Any:
    """Scores of 1 (right) or 0 (wrong)."""
    return (np.random.default_rng(seed).random(shape) < share).astype(float)


def model_items(seed: int, *, models: int = 40, n: int = 100, rho: float = 0.7) -> tuple[Any, Any]:
    """Right or wrong of base and tuned models [models, items] on the same items.

    Models do better on some items than on others, base and tuned alike; true scores have
    correlation `rho`.
    """
    rng = np.random.default_rng(seed)
    true = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=models)
    difficulty, interaction = rng.normal(size=n) * 2, rng.normal(size=(models, n)) * 0.8
    logits = [true[:, [i]] - difficulty + interaction for i in (0, 1)]
    x, y = (rng.random((models, n)) < 1 / (1 + np.exp(-logit)) for logit in logits)
    return x.astype(float), y.astype(float)


def one_task(
    arms: dict[str, Any],
    *,
    choices: dict[str, Any] | None = None,
    passages: dict[int, int] | None = None,
) -> tuple[pd.DataFrame, ItemScores]:
    """Scores and items of one task and three pairs; `arms` holds scores [pairs, draws, items]."""
    pairs = ("p0", "p1", "p2")
    rows = [
        {
            "pair": pair,
            "family": pair,
            "arm": arm,
            "task": "t",
            "task_type": "facts",
            "exposure": "seen_task",
            "score": float(np.mean(item_scores[i])),
            "stderr": 0.1,
            "n_items": item_scores.shape[2],
        }
        for arm, item_scores in arms.items()
        for i, pair in enumerate(pairs)
    ]
    by_arm_and_task = {
        (arm, "t"): AlignedItems(
            pairs, np.arange(item_scores.shape[2]), item_scores, (choices or {}).get(arm)
        )
        for arm, item_scores in arms.items()
    }
    return scores_frame(rows), ItemScores(by_arm_and_task, {"t": passages} if passages else {})


def recipe_study() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of tuned models, and scores: of 3 bases, 2 seeds, 2 losses, 2 mixtures, 2 tasks.

    Loss `all` gains .1 on mixture `short` and .3 on mixture `long`.
    """
    recipe = {"grid": "g", "format": "flan", "indicator": "none", "optimiser": "o"}
    tuned, rows = [], []
    for f, seed, loss, mixture in product(range(3), (0, 1), ("output", "all"), ("short", "long")):
        pair = f"{f}-{seed}-{loss}-{mixture}"
        values = {"base": f"b{f}", "mixture": mixture, "loss": loss, "seed": seed}
        tuned.append({"pair": pair, "family": f"f{f}", **recipe, **values, "adapter": "none"})
        gain = 0.0 if loss == "output" else {"short": 0.1, "long": 0.3}[mixture]
        for task in ("a", "b"):
            score = {"score": 0.2 + 0.05 * f + 0.01 * seed + gain, "task": task, "task_type": task}
            rows.append({"pair": pair, "family": f"f{f}", "arm": "tuned-0shot", **score})
    return pd.DataFrame(tuned), scores_frame(rows)
