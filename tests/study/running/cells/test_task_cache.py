"""Tasks are loaded once for all cells of a process."""

from __future__ import annotations

import pyarrow as pa

from study.planning.plan_study import PlannedStudy
from study.running.cells.prompts import render_prompts
from study.running.cells.task_cache import TaskCache
from study.tasks.demonstrations import draw_demonstrations
from study.tasks.lm_eval.library import task_library
from tests.conftest import MakeRun
from tests.in_process import plan
from tests.study.running.cells.conftest import CellOf


def texts(number: int) -> pa.Table:
    return pa.table({"texts": [["x"]] * number})


def test_a_task_is_loaded_once(task_cache: TaskCache, planned: PlannedStudy) -> None:
    name = planned.resolved.tasks[0].task
    task, items = task_cache.task(name)
    assert task_cache.task(name) == (task, items)
    assert items.digest == planned.resolved.items[name].digest  # type: ignore[union-attr]


def test_the_tasks_own_prompt_is_the_task_itself(task_cache: TaskCache, cell_of: CellOf) -> None:
    cell = cell_of("base-5shot")
    task, items = task_cache.prompted(cell)
    assert (task, items) == task_cache.task(cell.task.task)
    assert task_cache.response_summary(cell, items.evaluated(2), texts(2)) is None


def test_a_prompt_form_wraps_the_task(make_run: MakeRun) -> None:
    folder = make_run(
        layout="zoo",
        arms=["base-2shot-fields", "tuned-0shot-chat"],
        contrasts=[{"name": "c", "x": "base-2shot-fields", "y": "tuned-0shot-chat"}],
        tasks={"suite": "zoo_gen", "only": ["zoo_reverse_gen"]},
    )
    planned = plan(folder)
    run = planned.resolved.run
    cache = TaskCache(run, task_library(run.study))
    cell = next(cell for job in planned.plan.jobs for cell in job.cells if cell.arm.form)
    prompted, items = cache.prompted(cell)
    task, same = cache.task("zoo_reverse_gen")
    assert items is same
    assert prompted is not task
    demonstrations = draw_demonstrations(items, seed=0, draw=0, shots=2)
    documents = items.evaluated(3)
    ours, plain = (
        render_prompts(form, documents, demonstrations, cell, None) for form in (prompted, task)
    )
    assert ours.shots == plain.shots == (2, 2, 2)
    for one, other in zip(ours.requests, plain.requests, strict=True):
        assert one[0].args[0] != other[0].args[0]
        assert all(each.target in one[0].args[0] for each in demonstrations.documents)
    assert cache.response_summary(cell, documents, texts(3)) is None
