"""The table of correlations: its rows, adjusted p-values, missing numbers."""

from __future__ import annotations

import gc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from analysis.data.points import contrast_points
from analysis.pipeline import write_csv
from analysis.statistics.correlation.correlate import correlate
from analysis.statistics.families import Families
from analysis.tables.correlations import adjust_p, correlations, headline
from study.config.analysis import Multiplicity
from study.results.schema import CORRELATIONS
from tests.analysis.samples import (
    CONTRASTS,
    X,
    Y,
)


def test_correlations_table(scores: pd.DataFrame, correlation_table: pd.DataFrame) -> None:
    assert list(correlation_table.columns) == list(CORRELATIONS)
    # Seven groups, each in three coefficients and corrected; one of three tasks or more, which has
    # three more estimands in three coefficients.
    assert len(correlation_table) == 2 * (7 * (3 + 1) + 3 * 3)
    points = contrast_points(scores, x_arm=X, y_arm=Y, level="type")
    facts = points[points["task_type"] == "facts"]
    correlation = correlate(facts["x"], facts["y"], Families.of(list(facts["family"])))
    row = correlation_table[
        (correlation_table["contrast"] == "in-context")
        & (correlation_table["task_type"] == "facts")
        & (correlation_table["level"] == "type")
        & (correlation_table["coefficient"] == "pearson")
    ].iloc[0]
    assert row["estimate"] == correlation.estimate
    assert (row["low"], row["high"]) == (correlation.interval.low, correlation.interval.high)
    assert (row["n_pairs"], row["n_families"], row["n_tasks"]) == (12, 5, 2)


def test_p_is_adjusted_within_contrast_and_coefficient(
    correlation_table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    # statsmodels collects garbage in every call, which is slow in a large process.
    monkeypatch.setattr(gc, "collect", lambda: 0)
    for level, method in (("type", "holm"), ("task", "fdr_bh")):
        tested = correlation_table[correlation_table["level"] == level].dropna(subset="p")

        together = ["contrast", "estimand", "coefficient", "corrected"]
        for _, group in tested.groupby(together):
            expected = multipletests(group["p"], method=method)[1]
            assert group["p_adjusted"].to_numpy() == pytest.approx(expected, rel=1e-12)
            assert (group["p_adjusted"] >= group["p"]).all()
    overall = correlation_table[correlation_table["level"] == "overall"].dropna(subset="p")
    assert (overall["p_adjusted"] == overall["p"]).all()


def test_numbers_that_cannot_be_estimated_are_empty(scores: pd.DataFrame, tmp_path: Path) -> None:
    constant = scores.copy()
    constant.loc[(constant["arm"] == Y) & (constant["task"] == "c"), "score"] = 1.0
    frame = correlations(constant, CONTRASTS[:1])
    write_csv(frame, tmp_path / "correlations.csv")
    read = pd.read_csv(tmp_path / "correlations.csv")
    row = read[(read["task"] == "c") & (read["coefficient"] == "pearson")].iloc[0]
    assert row[["estimate", "low", "high", "p", "p_adjusted"]].isna().all()
    assert row["note"] == "not estimable: the scores of y are all 1"


def test_p_is_adjusted_as_the_study_says(scores: pd.DataFrame) -> None:
    frame = correlations(
        scores, CONTRASTS[:1], multiplicity=Multiplicity(type="none", task="bonferroni")
    )
    of_type, of_task = (
        frame[(frame["level"] == level) & frame["p"].notna()] for level in ("type", "task")
    )
    assert (of_type["p_adjusted"] == of_type["p"]).all()
    tested = headline(of_task)
    assert len(tested) == 4
    expected = np.minimum(1, 4 * tested["p"].to_numpy())
    assert tested["p_adjusted"].to_numpy() == pytest.approx(expected)


def test_adjustments_of_benjamini_and_hochbergs_example() -> None:
    """Benjamini & Hochberg 1995."""
    p = (
        np.array([1, 4, 19, 95, 201, 278, 298, 344, 459, 3240, 4262, 5719, 6528, 7590, 10_000])
        / 10_000
    )
    assert all(a <= b for a, b in pairwise(p))
    holm, bh = adjust_p(p, "holm"), adjust_p(p, "bh")
    assert (int(np.sum(holm <= 0.05)), int(np.sum(bh <= 0.05))) == (3, 4)
    assert holm[:5] == pytest.approx([0.0015, 0.0056, 0.0247, 0.114, 0.2211], abs=5e-5)
    assert bh[:5] == pytest.approx([0.0015, 0.003, 0.0095, 0.035625, 0.0603], abs=5e-6)


def test_adjustments_are_statsmodels_in_any_order() -> None:
    p = np.random.default_rng(0).permutation(np.append(np.linspace(0.001, 0.9, 12), 0.001))
    names = {"holm": "holm", "hommel": "hommel", "bh": "fdr_bh", "by": "fdr_by"}
    for method, name in names.items():
        adjusted = adjust_p(p, method)  # type: ignore[arg-type]
        assert adjusted.tolist() == multipletests(p, method=name)[1].tolist()
    assert adjust_p(p, "none").tolist() == p.tolist()
