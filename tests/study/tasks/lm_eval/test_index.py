"""What needs the index of all lm-eval tasks, which takes seconds to read: it is read once here."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from study.errors import StudyError
from study.models.pairs import registry
from study.planning.plan_report import plan_json
from study.tasks.lm_eval import index
from study.tasks.lm_eval.entry import TaskEntry
from study.tasks.lm_eval.library import TaskLibrary
from tests.conftest import ROOT
from tests.in_process import plan

SELF_DEMONSTRATING = ROOT / "tests" / "data" / "lm_eval_selfdemo_tasks.json.gz"


@pytest.fixture(scope="module")
def library() -> TaskLibrary:
    return TaskLibrary()


def test_tasks_that_would_demonstrate_themselves_are_detected(library: TaskLibrary) -> None:
    """Every task of an independent scan of the task files of lm-eval 0.4.13 is detected."""
    entries = {
        name: TaskEntry(name, indexed.cfg)
        for name, indexed in library._all.task_index.items()
        if indexed.kind.name == "TASK"
    }
    detected = {name for name, entry in entries.items() if entry.demonstrates_itself}
    listed = set(json.loads(gzip.decompress(SELF_DEMONSTRATING.read_bytes())))
    assert listed <= detected
    assert len(detected - listed) <= 25
    assert sum(entry.fixes_zero_shots for entry in entries.values()) >= 805


def test_entries_of_single_files_are_those_of_the_whole_index(library: TaskLibrary) -> None:
    whole = library._all.task_index
    own = [name for name in index._task_files() if name not in library._local.task_index]
    assert len(own) > 13_000
    assert {name for name, entry in whole.items() if entry.kind.name == "TASK"} == {
        *own,
        *library.local_tasks(),
    }
    for name in own[::300]:
        assert index.installed_entry(name) == whole[name]
    assert index.installed_entry("mmlu") is None


def test_a_file_that_no_longer_defines_a_task_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    files = index._task_files()
    changed = {"hellaswag": files["arc_easy"], "arc_easy": "absent.yaml"}
    monkeypatch.setattr(index, "_task_files", lambda: changed)
    assert index.installed_entry("hellaswag") is None
    assert index.installed_entry("arc_easy") is None


def test_an_unknown_task_is_named_with_the_nearest_one(library: TaskLibrary) -> None:
    with pytest.raises(StudyError, match=r"study\.yaml: tasks: found 'arc_chalenge'.*Did you mean"):
        library.entry("arc_chalenge", Path("study.yaml"))


def test_a_group_of_tasks_is_refused(library: TaskLibrary) -> None:
    with pytest.raises(StudyError, match=r"'mmlu', a group; expected a single task.*List its"):
        library.entry("mmlu", Path("study.yaml"))


def test_the_paper_study_is_planned_without_a_network(
    library: TaskLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "study.planning.resolving.resolve_study.task_library", lambda study: library
    )
    content = json.loads(json.dumps(plan_json(plan(ROOT / "runs" / "paper"))))
    pairs = {pair.name: pair for pair in registry()}
    assert len(content["pairs"]) >= 100
    assert len({pairs[name].family for name in content["pairs"]}) >= 30
    assert len(content["tasks"]) >= 40
    suite = (ROOT / "study" / "data" / "suites" / "paper.yaml").read_text()
    assert len(set(re.findall(r"task_type: (\w+)", suite))) >= 10
    corrected = [line for line in content["corrected"] if line.startswith("race: ")]
    assert len(corrected) == 1
    skipped = [(entry["arm"], entry["task"]) for entry in content["skipped"]]
    assert ("base-5shot", "ifeval") in skipped
    assert content["remaining"]["tokens"] > 1e9
