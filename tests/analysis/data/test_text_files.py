"""CSV files that training writes: names are texts, numbers are exact, faults are named."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from analysis.data.text_files import read_columns
from study.errors import StudyError

TYPES = {"source": "str", "score": "float", "marked": "int64"}


def test_names_and_numbers_are_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    numbers = (0.1 + 0.2, 1 / 3, 5e-324)
    names = ("NA", "007", "true")
    rows = [f"{n},{s!r},0,x" for n, s in zip(names, numbers, strict=True)]
    path.write_text("\n".join(["source,score,marked,other", *rows, "null,,1,"]) + "\n")
    frame = read_columns(path, TYPES)
    assert frame["source"].tolist() == [*names, "null"]
    assert frame["score"].tolist()[:3] == list(numbers)
    assert math.isnan(frame["score"].tolist()[3])
    assert frame["marked"].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    "content",
    ["", "source,score\na,1\n", "source,score,marked\na,x,1\n", "source,score,marked\na,1,0.5\n"],
)
def test_other_files_are_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(content)
    with pytest.raises(StudyError, match=r"f\.csv: found no such table .*columns source, score"):
        read_columns(tmp_path / "f.csv", TYPES)
