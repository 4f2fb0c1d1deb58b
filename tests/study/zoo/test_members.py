"""Members: how many and how various, and what tuning shows of each skill."""

from __future__ import annotations

from study.config.tasks import ListedTask
from study.data import SUITES
from study.results.schema import EXPOSURES
from study.tasks.suites import Suite
from study.validation import validated
from study.zoo.corpus import tuning_rows
from study.zoo.language import ID_OF
from study.zoo.members import MEMBERS, TUNED_SKILLS, TWIN_WITHOUT, member_exposure
from study.zoo.skills import SKILLS


def test_members_are_as_many_and_as_various_as_promised() -> None:
    recipes = [member.recipe for member in MEMBERS.values() if member.recipe.without is None]
    assert len(recipes) >= 24
    assert len({recipe.architecture for recipe in recipes}) >= 3
    assert len({recipe.size for recipe in recipes}) >= 4
    assert len({recipe.steps for recipe in recipes}) >= 2


def test_the_twin_lacks_one_skill() -> None:
    (twin,) = (member for member in MEMBERS.values() if member.recipe.without is not None)
    assert SKILLS.keys() - twin.recipe.weights().keys() == {TWIN_WITHOUT}
    assert TWIN_WITHOUT in twin.learned


def test_the_suite_says_what_tuning_shows() -> None:
    tasks: list[ListedTask] = validated(Suite, SUITES / "zoo_mc.yaml").tasks
    exposures = {task.task.split("_")[1]: task.exposure for task in tasks}
    assert set(exposures.values()) == set(EXPOSURES) - {""}
    assert exposures == {name: member_exposure(name) for name in SKILLS}
    assert len({task.task_type for task in tasks}) >= 5
    assert len(exposures) >= 12
    ids, _ = tuning_rows(seed=0, skills=TUNED_SKILLS, rows=4000)
    for name in SKILLS:
        assert bool((ids == ID_OF[name]).any()) == (exposures[name] == "seen_task")
    assert TWIN_WITHOUT in TUNED_SKILLS
