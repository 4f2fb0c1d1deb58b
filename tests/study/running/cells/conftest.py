"""A planned small study whose cells are rendered and evaluated one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from study.inference import SharedPrefixLM
from study.models.pairs import zoo
from study.planning.cells.cell import Cell
from study.planning.plan_study import PlannedStudy
from study.running.cells.task_cache import TaskCache
from study.tasks.lm_eval.library import task_library
from tests.conftest import write_study
from tests.in_process import plan

CellOf = Callable[[str], Cell]


@pytest.fixture(scope="session")
def planned(tmp_path_factory: pytest.TempPathFactory) -> PlannedStudy:
    """The plan of the small study."""
    folder: Path = write_study(tmp_path_factory.mktemp("planned") / "run")
    return plan(folder)


@pytest.fixture(scope="session")
def cell_of(planned: PlannedStudy) -> CellOf:
    """The first cell of an arm."""
    return lambda arm: next(
        cell for job in planned.plan.jobs for cell in job.cells if cell.arm.name == arm
    )


@pytest.fixture
def task_cache(planned: PlannedStudy) -> TaskCache:
    run = planned.resolved.run
    return TaskCache(run, task_library(run.study))


@pytest.fixture(scope="session")
def tuned_model() -> SharedPrefixLM:
    """The first tuned model of the zoo."""
    return SharedPrefixLM(pretrained=zoo()[0].tuned.path, device="cpu")
