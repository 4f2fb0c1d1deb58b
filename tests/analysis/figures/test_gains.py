"""Gains of recipes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.figures.gains import gains, gains_data
from analysis.figures.losses import losses, losses_data
from analysis.tables.tuning.recipe_gains import recipe_gains
from study.config.analysis import Comparison
from tests.analysis.samples import recipe_study


def test_figures_of_recipes_draw_their_data() -> None:
    tuned, frame = recipe_study()
    found = recipe_gains(frame, tuned, [Comparison(axis="loss", baseline="output")])
    data = gains_data(found)
    assert len(data) == 9
    drawn = gains(found)
    assert len(drawn.axes) == 3
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
