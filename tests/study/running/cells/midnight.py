"""Evaluates a study in one process that begins before a midnight and ends after it.

    python -m tests.study.running.cells.midnight <folder with the study> <one without>

The study's first pair is evaluated before a midnight, the others after it. Prints the dates.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from pathlib import Path

import yaml

from tests.in_process import evaluate_all


def main(whole: Path, folder: Path) -> None:
    """Evaluate the study in `whole` in the run folder `folder`, in two parts."""
    content = yaml.safe_load((whole / "study.yaml").read_text())
    for pairs in (content["pairs"][:1], content["pairs"]):
        text = yaml.safe_dump({**content, "pairs": pairs})
        (folder / "study.yaml").write_text(text)
        evaluate_all(folder)
        today = dt.date.today()
        print(today)
        while dt.date.today() == today:
            time.sleep(0.01)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
