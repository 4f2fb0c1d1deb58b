"""LaTeX and text of the tables."""

from __future__ import annotations

import pandas as pd

from analysis.report import correlations_text, latex
from analysis.tables.correlations import correlations
from tests.analysis.samples import (
    CONTRASTS,
)


def test_latex_and_summary(scores: pd.DataFrame) -> None:
    renamed = scores.assign(task_type=scores["task_type"].replace("facts", "facts_&_%"))
    frame = correlations(renamed, CONTRASTS)
    text = latex(frame)
    assert text.count("\\midrule") == 2
    assert "facts\\_\\&\\_\\%" in text
    assert text.count("12 (5)") == 6
    assert "in-context: base-5shot (x) against tuned-0shot-chat (y)" in correlations_text(frame)
