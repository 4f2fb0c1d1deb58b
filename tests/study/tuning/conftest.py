"""One small model, trained once for all tests of tuning."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from tests.study.tuning.small_studies import tune_here, write_study


@pytest.fixture(autouse=True)
def _threads() -> None:
    """As many threads as a worker of the command line has: it decides the last bits of weights."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model was trained without interruption."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    folder = write_study(tmp_path_factory.mktemp("trained") / "run")
    tune_here(folder)
    return folder
