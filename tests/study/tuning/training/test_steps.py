"""What each step of a training reads."""

from __future__ import annotations

from collections import Counter

import pytest

from study.config.tuning.methods import Loss, Optimiser
from study.tuning.training.steps import TrainingSteps
from tests.study.tuning.training.small_models import rows_of


@pytest.mark.parametrize(("epochs", "steps"), [(1, 3), (2, 5), (1.5, 4), (0.5, 2)])
def test_every_example_once_an_epoch(epochs: float, steps: int) -> None:
    rows = rows_of(Loss())
    optimiser = Optimiser(batch=4, epochs=epochs)
    data = TrainingSteps(rows, optimiser, max_length=160, pad=0, seed=0)
    assert len(data) == steps
    assert Counter(data.order[: len(rows)].tolist()).most_common(1)[0][1] == 1
    documents = [
        sum(len({*part.document.ravel()} - {-1}) for part in data[i]) for i in range(steps)
    ]
    assert sum(documents) == -(-len(rows) * epochs // 1)
    assert set(documents[:-1]) <= {4}


def test_the_seed_decides_the_order() -> None:
    rows = rows_of(Loss())
    orders = [
        TrainingSteps(rows, Optimiser(), max_length=160, pad=0, seed=seed).order.tolist()
        for seed in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]
