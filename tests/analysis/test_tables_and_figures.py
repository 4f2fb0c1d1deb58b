"""Tables hold their contracts; figures' data halves are exact, their drawing halves draw."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from analysis.correlation import correlate
from analysis.estimates import correlations
from analysis.families import Families
from analysis.figures.controls import controls, controls_data
from analysis.figures.forest import forest, forest_data
from analysis.figures.heat_map import heat_map, heat_map_data
from analysis.figures.item_overlap import item_overlap, item_overlap_data
from analysis.figures.left_out import left_out, left_out_data
from analysis.figures.power_curves import power_curves, power_data
from analysis.figures.scatter import scatter_by_type, scatter_data
from analysis.figures.style import COLOURS, looks, save
from analysis.overlap import overlap
from analysis.points import contrast_points
from analysis.robustness import robustness
from analysis.tables import latex, summary, write_csv
from study.contract import CORRELATIONS, SCORES
from study.design import Contrast

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


def test_points_of_a_type_are_means_of_chance_normalised_scores(scores: pd.DataFrame) -> None:
    points = contrast_points(scores, x_arm=X, y_arm=Y, level="type")
    assert len(points) == 24
    one = points[(points["pair"] == "p3") & (points["task_type"] == "strings")].iloc[0]
    own = scores[(scores["pair"] == "p3") & (scores["arm"] == X)]
    a, b = (own.loc[own["task"] == task, "score"].mean() for task in "ab")
    assert one["x"] == pytest.approx(((a - 0.25) / 0.75 + (b - 0.5) / 0.5) / 2, rel=1e-12)
    by_hand = math.hypot(0.03 / 0.75, 0.03 / 0.5) / 2
    assert one["x_stderr"] == pytest.approx(by_hand, rel=1e-12)
    assert one["n_tasks"] == 2


def test_a_pair_without_one_of_the_tasks_is_left_out_there(scores: pd.DataFrame) -> None:
    lacking = scores[~((scores["pair"] == "p0") & (scores["task"] == "a") & (scores["arm"] == Y))]
    types = contrast_points(lacking, x_arm=X, y_arm=Y, level="type").groupby("task_type").size()
    assert dict(types) == {"facts": 12, "strings": 11}
    assert len(contrast_points(lacking, x_arm=X, y_arm=Y, level="overall")) == 11


def test_unknown_arm_or_level(scores: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="no scores of arm 'base-9shot'; there are base-0shot"):
        contrast_points(scores, x_arm="base-9shot", y_arm=Y)
    with pytest.raises(ValueError, match="level must be one of overall, type, task; found 'all'"):
        contrast_points(scores, x_arm=X, y_arm=Y, level="all")


def test_correlations_table(scores: pd.DataFrame) -> None:
    frame = correlations(scores, CONTRASTS)
    assert list(frame.columns) == list(CORRELATIONS)
    # Seven groups, each in three coefficients and corrected; one of three tasks or more, which has
    # three more estimands in three coefficients.
    assert len(frame) == 2 * (7 * (3 + 1) + 3 * 3)
    points = contrast_points(scores, x_arm=X, y_arm=Y, level="type")
    facts = points[points["task_type"] == "facts"]
    own = correlate(facts["x"], facts["y"], Families.of(list(facts["family"])))
    row = frame[
        (frame["contrast"] == "in-context")
        & (frame["task_type"] == "facts")
        & (frame["level"] == "type")
        & (frame["coefficient"] == "pearson")
    ].iloc[0]
    assert row["estimate"] == own.estimate
    assert (row["low"], row["high"]) == (own.interval.low, own.interval.high)
    assert (row["n_pairs"], row["n_families"], row["n_tasks"]) == (12, 5, 2)


def test_p_is_adjusted_within_contrast_and_coefficient(scores: pd.DataFrame) -> None:
    frame = correlations(scores, CONTRASTS)
    for level, method in (("type", "holm"), ("task", "fdr_bh")):
        tested = frame[(frame["level"] == level) & frame["p"].notna()]
        together = ["contrast", "estimand", "coefficient", "corrected"]
        for _, group in tested.groupby(together):
            expected = multipletests(group["p"], method=method)[1]
            assert group["p_adjusted"].to_numpy() == pytest.approx(expected, rel=1e-12)
            assert (group["p_adjusted"] >= group["p"]).all()
    overall = frame[(frame["level"] == "overall") & frame["p"].notna()]
    assert (overall["p_adjusted"] == overall["p"]).all()


def test_what_cannot_be_estimated_stays_empty_and_says_why(
    scores: pd.DataFrame, tmp_path: Path
) -> None:
    constant = scores.copy()
    constant.loc[(constant["arm"] == Y) & (constant["task"] == "c"), "score"] = 1.0
    frame = correlations(constant, CONTRASTS[:1])
    write_csv(frame, tmp_path / "correlations.csv")
    read = pd.read_csv(tmp_path / "correlations.csv")
    row = read[(read["task"] == "c") & (read["coefficient"] == "pearson")].iloc[0]
    assert row[["estimate", "low", "high", "p", "p_adjusted"]].isna().all()
    assert row["note"] == "not estimable: the scores of y are all 1"


def test_csv_is_not_rounded(scores: pd.DataFrame, tmp_path: Path) -> None:
    write_csv(scores, tmp_path / "scores.csv")
    read = pd.read_csv(tmp_path / "scores.csv", keep_default_na=True).fillna({"exposure": ""})
    pd.testing.assert_frame_equal(read.astype(SCORES), scores, check_exact=True)


def test_latex_and_summary(scores: pd.DataFrame) -> None:
    renamed = scores.assign(task_type=scores["task_type"].replace("facts", "facts_&_%"))
    frame = correlations(renamed, CONTRASTS)
    text = latex(frame)
    assert text.count("\\midrule") == 2
    assert "facts\\_\\&\\_\\%" in text
    assert text.count("12 (5)") == 6
    assert "in-context: base-5shot (x) against tuned-0shot-chat (y)" in summary(frame)


def test_scatter(scores: pd.DataFrame) -> None:
    points, found = scatter_data(scores, x_arm=X, y_arm=Y)
    expected = contrast_points(scores, x_arm=X, y_arm=Y, level="type")
    pd.testing.assert_frame_equal(points, expected)
    assert list(found) == ["facts", "strings"]
    drawn = scatter_by_type(scores, x_arm=X, y_arm=Y, width_mm=174)
    assert drawn.get_size_inches()[0] == pytest.approx(174 / 25.4)
    titles = [axis.get_title() for axis in drawn.axes]
    assert titles[0].startswith("facts\nr = ")


def test_forest(scores: pd.DataFrame) -> None:
    frame = correlations(scores, CONTRASTS)
    data = forest_data(frame)
    assert list(dict.fromkeys(data["label"])) == ["all tasks", "facts", "strings"]
    assert data["place"].is_monotonic_increasing
    assert len(data) == 6
    row = data[(data["label"] == "facts") & (data["contrast"] == "zero-shot")].iloc[0]
    same = frame[
        (frame["contrast"] == "zero-shot")
        & (frame["task_type"] == "facts")
        & (frame["level"] == "type")
        & (frame["coefficient"] == "pearson")
    ].iloc[0]
    assert tuple(row[["estimate", "low", "high"]]) == tuple(same[["estimate", "low", "high"]])
    assert len(forest(frame).axes) == 1


def test_heat_map(scores: pd.DataFrame) -> None:
    table = heat_map_data(scores, arm=Y)
    assert table.shape == (4, 12)
    own = scores[(scores["arm"] == Y) & (scores["pair"] == "p7") & (scores["task"] == "b")]
    expected = (own["score"].iloc[0] - 0.5) / 0.5
    assert table.loc[("strings", "b"), "p7"] == pytest.approx(expected, rel=1e-12)
    assert len(heat_map(scores, arms=[X, Y]).axes) == 3


def test_figures_of_what_remains(scores: pd.DataFrame) -> None:
    table = robustness(scores, CONTRASTS)
    data = controls_data(table)
    assert list(data["check"]) == 2 * ["as measured", "given size", "within families"]
    first = table[(table["contrast"] == "in-context") & (table["check"] == "given size")].iloc[0]
    assert data.loc[1, "estimate"] == first["estimate"]
    assert len(controls(table).axes) == 1
    families = left_out_data(table, contrast="in-context")
    assert set(families["family"]) == {f"f{i}" for i in range(5)}
    assert families["estimate"].is_monotonic_increasing
    drawn = left_out(table, contrast="in-context")
    assert [label.get_text() for label in drawn.axes[0].get_yticklabels()] == list(
        families["family"]
    )


def test_figure_of_item_overlap() -> None:
    from tests.analysis.test_overlap import CONTRAST, made, right

    table = overlap(*_with_contrast(made({X: right(1, 3, 1, 50), Y: right(2, 3, 1, 50)}), CONTRAST))
    data = item_overlap_data(table, contrast="icl")
    assert list(dict.fromkeys(data["group"])) == ["all tasks", "facts", "exposure: seen_task"]
    bars = item_overlap(table, contrast="icl").axes[0].patches
    widths = sorted(bar.get_width() for bar in bars)
    assert widths == pytest.approx(sorted(data["estimate"]))


def _with_contrast(pair: Any, contrast: Contrast) -> tuple[Any, list[Contrast], Any]:
    return pair[0], [contrast], pair[1]


def test_power_curves() -> None:
    families = Families.of([f"f{i // 3}" for i in range(30)])
    data = power_data(families, items=500)
    for _, rows in data.groupby("r"):
        assert rows["power"].dropna().is_monotonic_increasing
    assert len(power_curves(families, items=500).axes[0].lines) == 2 + 4


def test_many_families_look_different() -> None:
    families = [f"f{i}" for i in range(72)]
    assert len(set(looks(families).values())) == 72
    assert len(set(COLOURS)) == 8


def test_saved_figures_are_whole_and_the_same_again(scores: pd.DataFrame, tmp_path: Path) -> None:
    frame = correlations(scores, CONTRASTS)
    first = [path.read_bytes() for path in save(forest(frame), tmp_path / "one")]
    second = [path.read_bytes() for path in save(forest(frame), tmp_path / "two")]
    assert first == second
    assert first[0].startswith(b"%PDF")
    from matplotlib.image import imread

    assert imread(io.BytesIO(first[1])).std() > 0.01


def test_analysis_comes_without_torch_and_lm_eval() -> None:
    code = (
        "import sys, analysis\n"
        "for name in analysis.__all__: getattr(analysis, name)\n"
        "heavy = {'torch', 'lm_eval', 'transformers', 'datasets'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_name_of_the_package_is_that_of_a_room() -> None:
    """A module that has been imported hides a function of the same name."""
    import analysis

    rooms = {path.stem for path in Path(analysis.__file__).parent.glob("*.py")}
    assert not rooms & set(analysis.__all__)
