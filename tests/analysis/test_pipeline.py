"""Tables as files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.pipeline import write_csv
from study.results.schema import SCORES


def test_csv_is_not_rounded(scores: pd.DataFrame, tmp_path: Path) -> None:
    write_csv(scores, tmp_path / "scores.csv")
    read = pd.read_csv(tmp_path / "scores.csv", keep_default_na=True).fillna({"exposure": ""})
    pd.testing.assert_frame_equal(read.astype(SCORES), scores, check_exact=True)
