"""Shares of items: what is drawn, and the bars."""

from __future__ import annotations

import pytest

from analysis.figures.item_overlap import item_overlap, item_overlap_data
from analysis.tables.agreement import item_agreement
from tests.analysis.samples import IN_CONTEXT, X, Y, one_task, right_or_wrong


def test_bars_are_the_estimates() -> None:
    scores, items = one_task({X: right_or_wrong(1, 3, 1, 50), Y: right_or_wrong(2, 3, 1, 50)})
    table = item_agreement(scores, [IN_CONTEXT], items)
    data = item_overlap_data(table, contrast="in-context")
    assert list(dict.fromkeys(data["group"])) == ["all tasks", "facts", "exposure: seen_task"]
    bars = item_overlap(table, contrast="in-context").axes[0].patches
    widths = sorted(bar.get_width() for bar in bars)
    assert widths == pytest.approx(sorted(data["estimate"]))
