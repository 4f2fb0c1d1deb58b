"""Mutants of a suite: the YAML file that `tasks.suite` names, with every key of a task."""

from __future__ import annotations

import copy
from pathlib import Path
from random import Random
from typing import Any

from study.config.study import read_study
from study.tasks.suites import read_suite, study_tasks
from tests.fuzz.fuzz_study_files import (
    INVALID_ADDITIONS,
    LISTED,
    assert_same,
    assert_within_limits,
    render_fields,
    values,
)
from tests.fuzz.fuzzer import Fuzzer, Mutant
from tests.fuzz.mutations import as_yaml, changed_bytes, changed_content, yaml_content
from tests.hostile_templates import hostile_template

FILE = "suite.yaml"
SUITE: dict[str, Any] = {
    "description": "Tasks of the zoo.\nTwo of them.\n",
    "tasks": [
        {**LISTED["tasks"][0], "range": [-1, 1], "factors": ["word", "gold"]},
        {**LISTED["tasks"][1], "options": "choices"},
    ],
}
STUDY: dict[str, Any] = {
    "name": "suites",
    "pairs": [{"source": "zoo", "pair": ["llama-early-xs"]}],
    "arms": ["base-0shot", "tuned-0shot-chat"],
    "tasks": {"suite": FILE},
    "contrasts": [{"name": "c", "x": "base-0shot", "y": "tuned-0shot-chat"}],
}
NEGATIVE = {"range"}
"Keys whose numbers may be below 0."


class FuzzSuites(Fuzzer):
    """Suites of a study's own."""

    name = "suites"

    def prepare(self, folder: Path) -> None:
        (folder / "study.yaml").write_bytes(as_yaml(STUDY))
        (folder / FILE).write_bytes(as_yaml(SUITE))
        self.read(folder, Mutant("nothing", {}, SUITE))

    def mutant(self, random: Random) -> Mutant:
        kind = random.random()
        if kind < 0.08:
            content = copy.deepcopy(SUITE)
            content["tasks"][1]["fields"]["word"] = hostile_template(random)
            return Mutant("an endless field", {FILE: as_yaml(content)}, invalid=True)
        if kind < 0.65:
            changed, change = changed_content(SUITE, random)
            return Mutant(change, {FILE: as_yaml(changed)}, changed)
        if kind < 0.75:
            text, change = random.choice(INVALID_ADDITIONS)
            return Mutant(change, {FILE: as_yaml(SUITE) + text.encode()}, invalid=True)
        data, change, invalid = changed_bytes(as_yaml(SUITE), random)
        return Mutant(change, {FILE: data}, invalid=invalid)

    def read(self, folder: Path, mutant: Mutant) -> None:
        study = read_study(folder)
        tasks = study_tasks(study)
        render_fields(tasks)
        content = mutant.content
        if content is None:
            content = yaml_content((folder / FILE).read_text(encoding="utf-8-sig"))
        file, suite = read_suite(FILE, study)
        assert file == folder / FILE
        assert_same(content, suite.model_dump(exclude_unset=True))
        assert [task.task for task in tasks] == [task["task"] for task in content["tasks"]]
        for place, value in values(content):
            if not NEGATIVE & set(place):
                assert_within_limits(place, value)
