"""Tuning on a GPU: the losses of a CPU, half precision, checkpointing, quantised bases."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tests.study.tuning.small_studies import changed, record_of, tune_here, write_study

pytestmark = pytest.mark.gpu


def trained_record(folder: Path, device: str, **parts: Any) -> dict[str, Any]:
    return record_of(tune_here(write_study(folder, changed(**parts)), device))


def test_the_same_losses_as_on_the_cpu(tmp_path: Path) -> None:
    # Not beside each other: the second run would use the model of the first.
    gpu = trained_record(tmp_path / "gpu" / "run", "cuda:0")
    cpu = trained_record(tmp_path / "cpu" / "run", "cpu")
    assert gpu["first_loss"] == pytest.approx(cpu["first_loss"], rel=1e-4)
    assert gpu["last_loss"] == pytest.approx(cpu["last_loss"], rel=0.05)
    assert gpu["provenance"]["hardware"] != cpu["provenance"]["hardware"]


def test_half_precision_and_checkpointing(tmp_path: Path) -> None:
    optimiser = {"precision": "bfloat16", "gradient_checkpointing": True}
    record = trained_record(tmp_path / "run", "cuda:0", optimiser=optimiser)
    assert record["last_loss"] < 0.6 * record["first_loss"]


@pytest.mark.parametrize("bits", [4, 8])
def test_quantised_bases(bits: int, tmp_path: Path) -> None:
    if importlib.util.find_spec("bitsandbytes") is None:
        pytest.skip("bitsandbytes is not installed")
    record = trained_record(
        tmp_path / "run",
        "cuda:0",
        recipe={"adapter": "a"},
        adapters={"a": {"r": 8, "bits": bits}},
        optimiser={"precision": "bfloat16"},
    )
    assert record["last_loss"] < record["first_loss"]
