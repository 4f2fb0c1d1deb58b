"""Loss curves: smoothing, and a line for each model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.figures.losses import losses, losses_data
from tests.analysis.samples import recipe_study


def test_a_line_for_each_model() -> None:
    tuned, _ = recipe_study()
    curves = pd.concat(
        [
            pd.DataFrame({"pair": pair, "step": range(1, 31), "loss": np.linspace(3, 1, 30)})
            for pair in tuned["pair"]
        ]
    )
    smooth = losses_data(curves, tuned)
    assert len(smooth) == len(curves)
    assert smooth["loss"].max() == 3
    assert len(losses(curves, tuned).axes[0].lines) == len(tuned) + 2
