"""Arms of imported scores: declared with a role, usable in contrasts, never evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from study.config.arms import PUBLISHED_ARMS, ImportedArm, parse_arm
from study.config.study import Study, read_study
from study.errors import StudyError
from study.tasks.prompt_forms import check_arms

MIXED = {
    "mixed": {"role": "base", "description": "as many shots as the leaderboard gives each task"}
}


def study(folder: Path, **changes: Any) -> Study:
    content = {
        "name": "published",
        "imported_arms": MIXED,
        "contrasts": [{"name": "c", "x": "mixed", "y": "tuned"}],
        **changes,
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    return read_study(folder)


def test_declared_and_published_names_may_be_contrasted(tmp_path: Path) -> None:
    declared = study(tmp_path)
    check_arms(declared)
    assert declared.arm("mixed") == ImportedArm(**MIXED["mixed"])
    assert declared.arm("mixed").shots is None
    assert declared.arm("tuned").role == "tuned"
    assert declared.arm("base-icl").role == "base"
    assert declared.arm("base-5shot") == parse_arm("base-5shot")


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": (
        {"contrasts": [{"name": "c", "x": "mixed2", "y": "tuned"}]},
        r"contrasts\[0\]\.x: an arm's name.*found 'mixed2'",
    ),
    "a name of the grammar": (
        {"imported_arms": {"base-5shot": MIXED["mixed"]}},
        "imported_arms.*'base-5shot' needs no declaration",
    ),
    "no role": ({"imported_arms": {"mixed": {"description": "d"}}}, "mixed.role: found nothing"),
    "no description": (
        {"imported_arms": {"mixed": {"role": "base"}}},
        "description: found nothing",
    ),
    "an empty description": (
        {"imported_arms": {"mixed": {"role": "base", "description": " "}}},
        "description: found ' '",
    ),
    "another role": (
        {"imported_arms": {"tuned": {"role": "base", "description": "d"}}},
        "role 'tuned' for 'tuned'",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(fault: str, tmp_path: Path) -> None:
    changes, message = FAULTS[fault]
    with pytest.raises(StudyError, match=message):
        study(tmp_path, **changes)


@pytest.mark.parametrize("name", ["mixed", *PUBLISHED_ARMS])
def test_arms_of_imported_scores_are_not_evaluated(name: str, tmp_path: Path) -> None:
    runs = {
        "pairs": [{"source": "zoo"}],
        "arms": [name, "tuned-0shot"],
        "tasks": {"suite": "zoo_mc"},
        "contrasts": [{"name": "c", "x": name, "y": "tuned-0shot"}],
    }
    with pytest.raises(StudyError, match=rf"arms\[0\]: found '{name}'; expected an arm's name"):
        study(tmp_path, **runs)


def test_a_study_may_contrast_imported_arms_with_its_own(tmp_path: Path) -> None:
    runs = {
        "pairs": [{"source": "zoo"}],
        "arms": ["base-5shot", "tuned-0shot"],
        "tasks": {"suite": "zoo_mc"},
    }
    both = study(tmp_path, **runs, contrasts=[{"name": "c", "x": "mixed", "y": "tuned-0shot"}])
    own = study(
        tmp_path,
        **runs,
        imported_arms={},
        contrasts=[{"name": "c", "x": "base-5shot", "y": "tuned-0shot"}],
    )
    assert both.digest() == own.digest()
