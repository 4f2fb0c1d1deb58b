"""What the table of alternatives says where the truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.data.families import Families
from analysis.data.items import Answers, ItemScores
from analysis.data.points import contrast_points
from analysis.statistics.correlation.correlate import correlate
from analysis.statistics.disattenuation.error_variance import components
from analysis.tables.reliability import reliabilities
from analysis.tables.robustness.checks import robustness, robustness_text
from study.config.analysis import Contrast
from study.results.schema import SCORES

X, Y = "base-5shot", "tuned-0shot-chat"
CONTRASTS = [Contrast(name="icl", x=X, y=Y), Contrast(name="control", x="base-0shot", y=Y)]


def simulated(*, own: float, size: float = 0.1, control: float = 1.0) -> pd.DataFrame:
    """24 pairs of 6 families and 3 tasks; `own` is what base and tuned share beyond their size, and
    `control` how much of it shows without demonstrations."""
    rng = np.random.default_rng(5)
    rows = []
    for i in range(24):
        params = 2.0 ** (i % 4)
        shared = rng.normal()
        for task in "abc":
            for arm, weight in ((X, 1.0), ("base-0shot", control), (Y, 1.0)):
                score = 0.5 + size * np.log(params) + own * weight * shared + rng.normal() * 0.03
                rows.append(
                    {"pair": f"p{i}", "family": f"f{i // 4}", "params_b": params, "model": arm,
                     "role": arm.split("-")[0], "arm": arm, "task": task, "task_type": "t",
                     "exposure": "", "draw": None, "score": score, "stderr": 0.03, "n_items": 100,
                     "chance": 0.0, "metric": "acc", "source": "simulated"}
                )  # fmt: skip
    return pd.DataFrame(rows)[list(SCORES)].astype(SCORES)


def checked(scores: pd.DataFrame, contrast: str = "icl") -> pd.DataFrame:
    frame = robustness(scores, CONTRASTS)
    return frame[frame["contrast"] == contrast].set_index("check")


def test_what_size_made_is_gone_given_size() -> None:
    frame = checked(simulated(own=0.0))
    assert frame.loc["as measured", "estimate"] > 0.9
    assert frame.loc["given size", "low"] < 0 < frame.loc["given size", "high"]
    # Sizes differ within families, and there is a like stranger for every base.
    assert frame.loc["within families", "estimate"] > 0.9
    assert frame.loc["other families", "estimate"] > 0.9


def test_what_belongs_to_the_pair_stays() -> None:
    frame = checked(simulated(own=0.1, size=0.0))
    for check in ("given size", "within families", "winsorised"):
        assert frame.loc[check, "low"] > 0.5, check
    assert abs(frame.loc["other families", "estimate"]) < 0.5


def test_a_control_that_knows_less_is_beaten_and_one_that_knows_as_much_is_not() -> None:
    beaten = checked(simulated(own=0.1, size=0.0, control=0.0)).loc["over its control"]
    assert beaten["low"] > 0
    assert "Williams p" in beaten["note"]
    level = checked(simulated(own=0.1, size=0.0)).loc["over its control"]
    assert level["low"] < 0 < level["high"]
    assert "over its control" not in checked(simulated(own=0.1), "control").index


def test_families_sizes_and_tasks_are_left_out_in_turn() -> None:
    scores = simulated(own=0.05)
    frame = checked(scores)
    points = contrast_points(scores, x_arm=X, y_arm=Y, level="overall")
    rest = points[points["family"] != "f2"]
    own = correlate(rest["x"], rest["y"], Families.of(list(rest["family"])))
    assert frame.loc["without family: f2", "estimate"] == pytest.approx(own.estimate)
    assert frame.loc["without family: f2", "n_families"] == 5
    assert frame.loc["without sizes: the largest", "n_pairs"] == 18
    tasks = sorted(scores["task"].unique())
    others = contrast_points(scores[scores["task"] != tasks[0]], x_arm=X, y_arm=Y, level="overall")
    own = correlate(others["x"], others["y"], Families.of(list(others["family"])))
    without = frame.loc[f"without task: {tasks[0]}"]
    assert (without["estimate"], without["low"]) == pytest.approx((own.estimate, own.interval.low))
    assert frame.index.str.startswith("without task").sum() == len(tasks)
    text = robustness_text(robustness(scores, CONTRASTS))
    assert "icl, over all tasks" in text
    assert "left out by one" in text


def test_unknown_sizes_are_said() -> None:
    scores = simulated(own=0.1)
    scores.loc[scores["pair"] == "p3", "params_b"] = np.nan
    row = checked(scores).loc["given size"]
    assert np.isnan(row["estimate"])
    assert "unknown" in row["note"]


def test_components_of_a_score_are_those_it_was_made_of() -> None:
    rng = np.random.default_rng(0)
    models, draws, items = 60, 8, 300
    parts = (
        rng.normal(size=(models, 1, 1)), rng.normal(size=(1, draws, 1)),
        rng.normal(size=(1, 1, items)), 0.7 * rng.normal(size=(models, 1, items)),
        0.3 * rng.normal(size=(models, draws, 1)), 0.2 * rng.normal(size=(1, draws, items)),
        0.5 * rng.normal(size=(models, draws, items)),
    )  # fmt: skip
    found = components(sum(parts, start=np.zeros((models, draws, items))))
    assert found.model_item == pytest.approx(0.49, rel=0.05)
    assert found.model_draw == pytest.approx(0.09, rel=0.25)
    assert found.residual == pytest.approx(0.25, rel=0.05)
    expected = 0.09 / 8 + 0.49 / 300 + 0.25 / 2400
    assert found.of_mean == pytest.approx(expected, rel=0.25)
    alone = components(rng.normal(size=(5, 1, 20)))
    assert np.isnan(alone.model_draw)


def test_reliability_names_what_a_score_is_made_of() -> None:
    """Between models 1, by draw .25, by item 1, both .5: of 3 draws and 50 items."""
    rng = np.random.default_rng(0)
    shape = (2000, 3, 50)
    scores = (
        rng.normal(size=(2000, 1, 1)) + 0.5 * rng.normal(size=(2000, 3, 1))
        + rng.normal(size=(2000, 1, 50)) + np.sqrt(0.5) * rng.normal(size=shape)
        + 5 * rng.normal(size=(1, 3, 1)) + 5 * rng.normal(size=(1, 1, 50))
    )  # fmt: skip
    names = tuple(f"p{i}" for i in range(2000))
    answers = {("base-5shot", "t"): Answers(names, np.arange(50), scores)}
    row = reliabilities(ItemScores(answers)).iloc[0]
    expected = {"of_items": 1 / 50, "of_draws": 0.25 / 3, "of_both": 0.5 / 150}
    for part, value in expected.items():
        assert row[part] == pytest.approx(value, rel=0.1)
    error = sum(expected.values())
    assert row["variance"] == pytest.approx(1 + error, rel=0.1)
    assert row["reliability"] == pytest.approx(1 / (1 + error), rel=0.02)
    few = ItemScores({("a", "t"): Answers(names[:2], np.arange(50), scores[:2])})
    assert "2 pairs" in reliabilities(few)["note"].iloc[0]
    one = ItemScores({("a", "t"): Answers(names, np.arange(50), scores[:, :1])})
    assert np.isnan(reliabilities(one)["of_draws"].iloc[0])
