"""Tables hold their contracts."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from analysis.data.families import Families
from analysis.data.points import contrast_points
from analysis.report import latex, summary, write_csv
from analysis.statistics.correlation.correlate import correlate
from analysis.statistics.correlation.dependent import fisher_interval
from analysis.statistics.resampling.bca import bca
from analysis.tables.correlations import correlations
from analysis.tables.intervals import FISHER, intervals_beside
from study.config.analysis import Multiplicity
from study.results.schema import CORRELATIONS, SCORES
from tests.analysis.conftest import CONTRASTS, X, Y


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


def test_p_is_adjusted_as_the_study_says(scores: pd.DataFrame) -> None:
    frame = correlations(
        scores, CONTRASTS[:1], multiplicity=Multiplicity(type="none", task="bonferroni")
    )
    of_type, of_task = (frame[(frame["level"] == level) & frame["p"].notna()]
                        for level in ("type", "task"))  # fmt: skip
    assert (of_type["p_adjusted"] == of_type["p"]).all()
    own = of_task[(of_task["coefficient"] == "pearson") & (of_task["corrected"] == "none")]
    assert len(own) == 4
    assert own["p_adjusted"].to_numpy() == pytest.approx(np.minimum(1, 4 * own["p"].to_numpy()))


def test_intervals_beside_the_default_one(scores: pd.DataFrame) -> None:
    table = intervals_beside(scores, CONTRASTS[:1], kinds=["bca", "fisher"])
    assert len(table) == 7 * 3
    whole = table[table["level"] == "overall"].set_index("method")
    r = whole["estimate"].iloc[0]
    assert whole.loc[FISHER, ["low", "high"]].tolist() == list(fisher_interval(r, 12))
    points = contrast_points(scores, x_arm=X, y_arm=Y, level="overall")
    families = Families.of(list(points["family"]))
    made = bca(points["x"], points["y"], families, rng=np.random.default_rng(0))
    found = whole.loc["BCa over families", ["low", "high"]].to_numpy(dtype=float)
    assert found == pytest.approx([made.low, made.high])
    assert whole.loc["BCa over families", "covers"] == "items+draws+families"
    few = scores[scores["pair"].isin(["p0", "p1", "p2"])]
    notes = intervals_beside(few, CONTRASTS[:1], kinds=["fisher"])["note"]
    assert notes.str.contains("four pairs are needed").any()
