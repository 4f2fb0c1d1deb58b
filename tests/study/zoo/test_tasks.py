"""Items, tasks and suites: distinct, divided into splits, and those that are shipped."""

from __future__ import annotations

from pathlib import Path

from study.data import SUITES
from study.zoo import TASKS
from study.zoo.skills import SKILLS
from study.zoo.tasks import ITEMS, items, write_suites, write_tasks


def test_items_are_distinct_and_divided_and_many() -> None:
    for skill in SKILLS.values():
        drawn = items(skill)
        assert len(drawn["test"]) == ITEMS["test"] >= 200
        questions = [question.words for split in drawn.values() for question in split]
        assert len(set(questions)) == len(questions)
        if skill.is_reserved is not None:
            assert all(skill.is_reserved(question.words) for question in drawn["train"])
            assert not any(skill.is_reserved(question.words) for question in drawn["test"])


def test_shipped_items_and_suites_are_those_of_the_language(tmp_path: Path) -> None:
    write_tasks(tmp_path / "tasks")
    write_suites(tmp_path)
    written = list((tmp_path / "tasks").rglob("*.*"))
    assert len(written) == 3 * len(SKILLS)
    for path in written:
        assert path.read_text() == (TASKS / path.relative_to(tmp_path / "tasks")).read_text()
    suites = list(tmp_path.glob("*.yaml"))
    assert len(suites) == 2
    for path in suites:
        assert path.read_text() == (SUITES / path.name).read_text()
