"""Cell keys of five studies, compared with recorded ones: a changed key orphans finished cells.

`tests/data/cell_keys.json` holds, by study, the number of rows of its plan, the sha256 of all rows
(pair, role, arm, task, draw, key) as lines of JSON, and for a readable difference the first key of
each arm. Together the studies have every class of prompt form.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from study.planning.plan_study import PlannedStudy
from tests.conftest import ROOT, MakeRun
from tests.in_process import plan

DATA = ROOT / "tests" / "data"
RECORDED: dict[str, Any] = json.loads((DATA / "cell_keys.json").read_text())


def _rows(planned: PlannedStudy) -> list[list[Any]]:
    return [
        [pair.name, role, cell.arm.name, cell.task.task, cell.draw, cell.key]
        for pair, role, cell in planned.plan.rows
    ]


def _summary(rows: list[list[Any]]) -> dict[str, Any]:
    first_keys: dict[str, str] = {}
    for _, _, arm, _, _, key in rows:
        first_keys.setdefault(arm, key)
    lines = "\n".join(json.dumps(row) for row in rows)
    return {
        "rows": len(rows),
        "sha256": hashlib.sha256(lines.encode()).hexdigest(),
        "first_key_by_arm": first_keys,
    }


@pytest.mark.parametrize("name", RECORDED)
def test_keys_are_the_recorded_ones(name: str, tmp_path: Path) -> None:
    source = DATA / name if name == "wide" else ROOT / "runs" / name
    folder = tmp_path / name
    folder.mkdir()
    shutil.copy(source / "study.yaml", folder)
    summary = _summary(_rows(plan(folder)))
    assert summary["first_key_by_arm"] == RECORDED[name]["first_key_by_arm"]
    assert summary == RECORDED[name]


def test_the_name_of_the_study_is_not_in_the_key(make_run: MakeRun) -> None:
    rows, renamed = (_rows(plan(make_run(name, name=name))) for name in ("one", "renamed"))
    assert rows == renamed


def test_the_same_study_gives_the_same_plan(make_run: MakeRun) -> None:
    folder = make_run()
    assert _rows(plan(folder)) == _rows(plan(folder))
