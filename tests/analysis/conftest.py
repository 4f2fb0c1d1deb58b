"""Made scores that several tests of the analysis read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from study.config.analysis import Contrast
from study.results.schema import SCORES

X, Y = "base-5shot", "tuned-0shot-chat"
CONTRASTS = [
    Contrast(name="in-context", x=X, y=Y),
    Contrast(name="zero-shot", x="base-0shot", y=Y),
]


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    """12 pairs of 5 families, 4 tasks of 2 types, 2 draws of the few-shot arm."""
    rng = np.random.default_rng(42)
    rows = []
    for i in range(12):
        ability = rng.normal(0.6, 0.15)
        for task, task_type, chance in (
            ("a", "strings", 0.25), ("b", "strings", 0.5), ("c", "facts", 0.0), ("d", "facts", 0.2),
        ):  # fmt: skip
            for arm, draws, lift in (
                (X, (0, 1), 0.1),
                ("base-0shot", (None,), 0.0),
                (Y, (None,), 0.1),
            ):
                for draw in draws:
                    rows.append({
                        "pair": f"p{i}", "family": f"f{i % 5}", "params_b": 0.1 * (i + 1),
                        "model": f"m{i}-{arm}", "role": arm.split("-")[0], "arm": arm, "task": task,
                        "task_type": task_type, "exposure": "", "draw": draw,
                        "score": float(np.clip(ability + lift + rng.normal(0, 0.05), 0, 1)),
                        "stderr": 0.03, "n_items": 100, "chance": chance, "metric": "acc",
                        "source": "simulated",
                    })  # fmt: skip
    return pd.DataFrame(rows)[list(SCORES)].astype(SCORES)
