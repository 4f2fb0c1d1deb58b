"""Training: losses that fall, the summary of a curve, and a training that diverges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from study.config.tuning.methods import Loss
from study.errors import StudyError
from study.results.run import Run
from study.tuning.training.loop import TrainingCurve, train
from tests.study.tuning.small_studies import changed, the_recipe, write_study
from tests.study.tuning.training.small_models import FAMILIES, model_of, rows_of


def train_small(folder: Path, on_step: Any = lambda step, loss: None, **optimiser: Any) -> Any:
    run = Run.open(write_study(folder, changed(optimiser={"batch": 3, **optimiser})))
    return train(
        model_of(FAMILIES[0]),
        rows_of(Loss()),
        the_recipe(run),
        key="key",
        folder=folder / "checkpoints",
        device="cpu",
        max_length=160,
        pad=0,
        on_step=on_step,
    )


def test_losses_fall_and_training_resumes(tmp_path: Path) -> None:
    steps: list[int] = []
    curve = train_small(tmp_path / "one", lambda step, loss: steps.append(step), epochs=4)
    assert steps == list(range(1, 13))
    assert curve.losses[-1] < curve.losses[0]
    assert curve.tokens == 4 * sum(map(len, rows_of(Loss())))
    assert curve.resumed_at == 0
    again = train_small(tmp_path / "one", epochs=4)
    assert again.resumed_at == 12
    assert again.losses == curve.losses
    assert train_small(tmp_path / "two", epochs=4).losses == curve.losses


def test_a_training_that_diverges(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"found a loss of .* at step \d+.*learning_rate"):
        train_small(tmp_path, learning_rate=900.0, clip=1e9, warmup=0, epochs=20)


def test_summary_and_table() -> None:
    curve = TrainingCurve([2.0, 0.1], tokens=100, seconds=4.0, resumed_at=1)
    assert curve.summary() == {
        "steps": 2,
        "first_loss": 2.0,
        "last_loss": 0.1,
        "tokens_per_second": 25.0,
        "seconds": 4.0,
        "resumed_at": 1,
    }
    assert curve.table() == "step,loss\n1,2.0\n2,0.1\n"
