"""Tasks are loaded once for all cells of a process."""

from __future__ import annotations

from study.config.arms import parse_arm
from study.planning.cells import Cell
from study.planning.plan_study import PlannedStudy
from study.running.cells.task_cache import TaskCache
from study.tasks.lm_eval_tasks import task_library
from study.tasks.suites import study_tasks
from tests.conftest import MakeRun
from tests.in_process import plan
from tests.study.running.cells.conftest import CellOf


def test_a_task_is_loaded_once(task_cache: TaskCache, planned: PlannedStudy) -> None:
    name = planned.resolved.tasks[0].task
    task, items = task_cache.task(name)
    assert task_cache.task(name) == (task, items)
    assert items.digest == planned.resolved.items[name].digest  # type: ignore[union-attr]


def test_the_tasks_own_prompt_is_the_task_itself(task_cache: TaskCache, cell_of: CellOf) -> None:
    cell = cell_of("base-5shot")
    task, items = task_cache.prompted(cell)
    assert (task, items) == task_cache.task(cell.task.task)
    assert task_cache.check_written(cell, items.evaluated(2), [{"text": "x"}] * 2) is None


def test_a_prompt_form_wraps_the_task(make_run: MakeRun) -> None:
    folder = make_run(
        layout="zoo",
        arms=["base-2shot-fields", "tuned-0shot-chat"],
        contrasts=[{"name": "c", "x": "base-2shot-fields", "y": "tuned-0shot-chat"}],
        tasks={"suite": "zoo_gen", "only": ["zoo_reverse_gen"]},
    )
    run = plan(folder).resolved.run
    cache = TaskCache(run, task_library(run.study))
    (listed,) = study_tasks(run.study)
    arm = parse_arm("base-2shot-fields")
    model = plan(folder).plan.jobs[0].model
    prompted, items = cache.prompted(Cell(model, arm, listed, 0))
    task, same = cache.task("zoo_reverse_gen")
    assert items is same
    assert prompted is not task
    document = items.items[0].raw
    assert prompted.doc_to_text(document) != task.doc_to_text(document)
