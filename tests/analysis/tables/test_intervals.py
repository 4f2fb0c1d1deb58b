"""Further intervals are those of their functions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.data.points import contrast_points
from analysis.statistics.correlation.dependent import (
    fisher_interval,
)
from analysis.statistics.families import Families
from analysis.statistics.resampling.bca import (
    bca,
)
from analysis.tables.intervals import FISHER, further_intervals
from tests.analysis.samples import (
    CONTRASTS,
    X,
    Y,
)


def test_intervals_of_every_kind(scores: pd.DataFrame) -> None:
    table = further_intervals(scores, CONTRASTS[:1], kinds=["bca", "fisher"])
    assert len(table) == 7 * 3
    whole = table[table["level"] == "overall"].set_index("method")
    r = whole["estimate"].iloc[0]
    assert whole.loc[FISHER, ["low", "high"]].tolist() == list(fisher_interval(r, 12))
    points = contrast_points(scores, x_arm=X, y_arm=Y, level="overall")
    families = Families.of(list(points["family"]))
    interval = bca(points["x"], points["y"], families, rng=np.random.default_rng(0))
    ends = whole.loc["BCa over families", ["low", "high"]].to_numpy(dtype=float)
    assert ends == pytest.approx([interval.low, interval.high])
    assert whole.loc["BCa over families", "covers"] == "items+draws+families"
    few = scores[scores["pair"].isin(["p0", "p1", "p2"])]
    notes = further_intervals(few, CONTRASTS[:1], kinds=["fisher"])["note"]
    assert notes.str.contains("four pairs are needed").any()
