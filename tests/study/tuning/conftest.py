"""One small model, trained once for all tests of tuning; one thread, which is fastest for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.study.tuning.small_studies import tune_here, write_study


@pytest.fixture(scope="package", autouse=True)
def _one_thread() -> Iterator[None]:
    """The number of threads decides the last bits of weights."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def _one_core() -> Iterator[None]:
    """Processes that a test starts see one core, so that they use one thread."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


@pytest.fixture(scope="package")
def trained(_one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model was trained without interruption."""
    folder = write_study(tmp_path_factory.mktemp("trained") / "run")
    tune_here(folder)
    return folder
