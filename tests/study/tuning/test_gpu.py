"""Tuning on a GPU: the CPU's losses, half precision, checkpointing, quantised bases."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.planning.plan_study import planned, tune_planned
from study.tuning.tune import read_record
from tests.study.tuning.test_training import changed, tuning_run

pytestmark = pytest.mark.gpu
MakeRun = Callable[..., Path]


def record_of(make_run: MakeRun, device: str, name: str = "run", **parts: Any) -> dict[str, Any]:
    run = tuning_run(make_run, name, tuning=changed(**parts))
    _, events = tune_planned(planned(run), [device])
    assert not [event.reason for event in events if event.kind == "failed"]
    (tuned,) = planned(run).resolved.tuned.values()
    return read_record(tuned.folder)


def test_the_same_losses_as_on_the_cpu(make_run: MakeRun, tmp_path: Path) -> None:
    there = record_of(make_run, "cuda:0")
    # Another seed of the data would be another key; the folder keeps the two apart.
    run = tmp_path / "elsewhere"
    run.mkdir()
    (tmp_path / "run").rename(run / "run")
    here = record_of(make_run, "cpu", "other")
    assert there["first_loss"] == pytest.approx(here["first_loss"], rel=1e-4)
    assert there["last_loss"] == pytest.approx(here["last_loss"], rel=0.05)
    assert there["provenance"]["hardware"] != here["provenance"]["hardware"]


def test_half_precision_and_checkpointing(make_run: MakeRun) -> None:
    found = record_of(
        make_run, "cuda:0", optimiser={"precision": "bfloat16", "gradient_checkpointing": True}
    )
    assert found["last_loss"] < 0.6 * found["first_loss"]


@pytest.mark.parametrize("bits", [4, 8])
def test_quantised_bases(make_run: MakeRun, bits: int) -> None:
    if importlib.util.find_spec("bitsandbytes") is None:
        pytest.skip("bitsandbytes is not installed")
    found = record_of(
        make_run, "cuda:0",
        recipe={"adapter": "a"}, adapters={"a": {"r": 8, "bits": bits}},
        optimiser={"precision": "bfloat16"},
    )  # fmt: skip
    assert found["last_loss"] < found["first_loss"]
