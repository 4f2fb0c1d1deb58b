"""Loss and gradient of every mask against a slow reference that follows the definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from study.config.tuning.methods import Loss
from study.tuning.data.examples import LabelledExample
from study.tuning.data.rendering import OUTPUT, TEMPLATE
from study.tuning.training.objective import log_probabilities, objective, step_batches
from study.tuning.training.packed_sequences import pack_step
from tests.study.tuning.training.small_models import FAMILIES, model_of, rows_of, untrained_model

LOSSES = {
    "output": Loss(over="output"),
    "instruction_and_output": Loss(over="instruction_and_output"),
    "all": Loss(over="all"),
    "weighted": Loss(over="weighted", instruction_weight=0.3),
    "output_diluted": Loss(over="output_diluted"),
    "example": Loss(over="instruction_and_output", normalise="example"),
    "diluted_example": Loss(over="output_diluted", normalise="example"),
    "kl": Loss(over="output", kl=0.4),
    "kl_released": Loss(over="output", kl=0.4, kl_as_released=True),
}


def reference_loss(model: Any, base: Any, rows: list[LabelledExample], loss: Loss) -> torch.Tensor:
    """Each document alone, token by token, straight from the definitions."""
    numerators, denominators = [], []
    for example in rows:
        ids = torch.from_numpy(example.encoded.ids.astype(np.int64))
        logs = model(input_ids=ids[None]).logits[0].log_softmax(-1)
        with torch.no_grad():
            of_base = base(input_ids=ids[None]).logits[0].log_softmax(-1)
        total = torch.zeros(())
        counted = 0.0
        for t in range(1, len(ids)):
            kind = example.encoded.kinds[t]
            output, instruction = kind == OUTPUT, kind not in (OUTPUT, TEMPLATE)
            share = {
                "output": (output, output),
                "instruction_and_output": (output or instruction,) * 2,
                "all": (True, True),
                "weighted": (
                    1.0 if output else (loss.instruction_weight or 0.0) * instruction,
                    output,
                ),
                "output_diluted": (output, output or instruction),
            }[loss.over]
            term = -logs[t - 1, ids[t]]
            if loss.kl and not loss.kl_as_released:
                p = logs[t - 1].exp()
                term = term + loss.kl * (p * (logs[t - 1] - of_base[t - 1])).sum()
            elif loss.kl:
                term = term + loss.kl * (logs[t - 1, ids[t]] - of_base[t - 1, ids[t]])
            total = total + float(share[0]) * term
            counted += float(share[1])
        numerators.append(total)
        denominators.append(counted)
    if loss.normalise == "token":
        return torch.stack(numerators).sum() / sum(denominators)
    return torch.stack([a / b for a, b in zip(numerators, denominators, strict=True)]).mean()


def packed_loss(
    model: Any, base: Any, rows: list[LabelledExample], loss: Loss, **how: Any
) -> torch.Tensor:
    options = {"max_length": 160, "tokens_at_once": 200, "pad": 0, "packing": True, **how}
    total = torch.zeros(())
    for batch in step_batches(pack_step(rows, **options), loss, "cpu"):
        with torch.no_grad():
            of_base = log_probabilities(base, batch) if loss.kl else None
        total = total + objective(model, batch, loss, of_base)
    return total


@pytest.mark.parametrize("member", FAMILIES)
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-7)])
def test_loss_and_gradients_are_those_of_the_reference(
    member: str, name: str, dtype: torch.dtype, tolerance: float
) -> None:
    loss = LOSSES[name]
    if dtype == torch.float32:
        model, base = untrained_model(member), untrained_model(member).eval()
    else:
        model, base = model_of(member, dtype), model_of(member, dtype).eval()
    torch.manual_seed(1)
    with torch.no_grad():  # a divergence of zero would test nothing
        for weight in model.parameters():
            weight.add_(0.005 * torch.randn_like(weight))
    rows = rows_of(loss, 6)
    slow = reference_loss(model, base, rows, loss)
    slow.backward()  # type: ignore[no-untyped-call]
    expected = torch.cat([weight.grad.flatten() for weight in model.parameters()])
    model.zero_grad()
    fast = packed_loss(model, base, rows, loss)
    fast.backward()  # type: ignore[no-untyped-call]
    assert abs(fast.item() - slow.item()) < tolerance * max(1.0, abs(slow.item()))
    gradient = torch.cat([weight.grad.flatten() for weight in model.parameters()])
    assert float((gradient - expected).norm()) < tolerance * float(expected.norm())


@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("at_once", [64, 10_000])
def test_neither_packing_nor_memory_changes_the_loss(packing: bool, at_once: int) -> None:
    loss = LOSSES["example"]
    model = model_of(FAMILIES[0])
    rows = rows_of(loss)
    with torch.no_grad():
        one = packed_loss(model, model, rows, loss)
        other = packed_loss(model, model, rows, loss, packing=packing, tokens_at_once=at_once)
    assert abs(float(one) - float(other)) < 1e-6


def test_the_released_surrogate_teaches_nothing_at_one() -> None:
    model, base = model_of(FAMILIES[0]), model_of(FAMILIES[0]).eval()
    rows = rows_of(LOSSES["output"])

    def gradient(loss: Loss) -> torch.Tensor:
        model.zero_grad()
        packed_loss(model, base, rows, loss).backward()  # type: ignore[no-untyped-call]
        return torch.cat([weight.grad.flatten() for weight in model.parameters()])

    plain = gradient(Loss(over="output"))
    at_one = gradient(Loss(over="output", kl=1.0, kl_as_released=True))
    above = gradient(Loss(over="output", kl=2.0, kl_as_released=True))
    full = gradient(Loss(over="output", kl=1.0))
    assert float(at_one.abs().max()) < 1e-6 * float(plain.abs().max())
    torch.testing.assert_close(above, -plain, rtol=1e-3, atol=1e-5)
    # At the base itself the true divergence has no slope, and the gradient is the likelihood's.
    torch.testing.assert_close(full, plain, rtol=1e-3, atol=1e-5)
