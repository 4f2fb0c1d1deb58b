"""Loss and gradient of every mask against a slow, obvious reference."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch

from study.config.tuning.methods import Loss
from study.models.pairs import zoo
from study.tuning.data.examples import Labelled
from study.tuning.data.label_weights import label_weights
from study.tuning.data.rendering import OUTPUT, TEMPLATE, encode
from study.tuning.data.sources import Turn
from study.tuning.training.objective import (
    log_probabilities,
    noisy_embeddings,
    objective,
    step_batches,
)
from study.tuning.training.packed_sequences import leaks, packed
from study.zoo.instructions import shown_questions
from tests.study.tuning.tokenizers_made import made

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
FAMILIES = ("llama-early-xs", "neox-early-xs", "olmo2-early-xs")


def model_of(member: str, dtype: torch.dtype = torch.float32) -> Any:
    from transformers import AutoModelForCausalLM

    path = next(pair for pair in zoo() if pair.name == member).base.path
    return AutoModelForCausalLM.from_pretrained(path, dtype=dtype)


def fresh(member: str) -> Any:
    """Of the member's architecture with random weights: float32 rounds the steep gradients of a
    pretrained model to a few millionths, whoever computes them."""
    from study.zoo.members import MEMBERS
    from study.zoo.training import untrained

    return untrained(MEMBERS[member].recipe)


def rows_of(loss: Loss, number: int = 9) -> list[Labelled]:
    rng = random.Random(5)
    rows = []
    for skill in ("reverse", "category", "lookup"):
        for wordings, _, answer, before in shown_questions(skill, number // 3, rng, context=1):
            turns = (Turn("user", before + rng.choice(wordings)), Turn("assistant", answer))
            row = encode(turns, made("zoo"))
            rows.append(Labelled(row, *label_weights(row, loss)))
    return rows


def reference_loss(model: Any, base: Any, rows: list[Labelled], loss: Loss) -> torch.Tensor:
    """Each document alone, token by token, straight from the definitions."""
    above, below = [], []
    for labelled in rows:
        ids = torch.from_numpy(labelled.row.ids.astype(np.int64))
        logs = model(input_ids=ids[None]).logits[0].log_softmax(-1)
        with torch.no_grad():
            of_base = base(input_ids=ids[None]).logits[0].log_softmax(-1)
        total = torch.zeros(())
        counted = 0.0
        for t in range(1, len(ids)):
            kind = labelled.row.kinds[t]
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
        above.append(total)
        below.append(counted)
    if loss.normalise == "token":
        return torch.stack(above).sum() / sum(below)
    return torch.stack([a / b for a, b in zip(above, below, strict=True)]).mean()


def ours(model: Any, base: Any, rows: list[Labelled], loss: Loss, **how: Any) -> torch.Tensor:
    options = {"longest": 160, "tokens_at_once": 200, "pad": 0, "packing": True, **how}
    total = torch.zeros(())
    for batch in step_batches(packed(rows, **options), loss, "cpu"):
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
        model, base = fresh(member), fresh(member).eval()
    else:
        model, base = model_of(member, dtype), model_of(member, dtype).eval()
    torch.manual_seed(1)
    with torch.no_grad():  # a divergence of zero would test nothing
        for weight in model.parameters():
            weight.add_(0.005 * torch.randn_like(weight))
    rows = rows_of(loss, 6)
    slow = reference_loss(model, base, rows, loss)
    slow.backward()  # type: ignore[no-untyped-call]
    wanted = [weight.grad.clone() for weight in model.parameters()]
    model.zero_grad()
    fast = ours(model, base, rows, loss)
    fast.backward()  # type: ignore[no-untyped-call]
    assert abs(fast.item() - slow.item()) < tolerance * max(1.0, abs(slow.item()))
    found = torch.cat([weight.grad.flatten() for weight in model.parameters()])
    slowly = torch.cat([gradient.flatten() for gradient in wanted])
    assert float((found - slowly).norm()) < tolerance * float(slowly.norm())


@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("at_once", [64, 10_000])
def test_neither_packing_nor_memory_changes_the_loss(packing: bool, at_once: int) -> None:
    loss = LOSSES["example"]
    model = model_of(FAMILIES[0])
    rows = rows_of(loss)
    one = ours(model, model, rows, loss)
    other = ours(model, model, rows, loss, packing=packing, tokens_at_once=at_once)
    assert abs(float(one) - float(other)) < 1e-6


def test_the_released_surrogate_teaches_nothing_at_one() -> None:
    model, base = model_of(FAMILIES[0]), model_of(FAMILIES[0]).eval()
    rows = rows_of(LOSSES["output"])

    def gradient(loss: Loss) -> torch.Tensor:
        model.zero_grad()
        ours(model, base, rows, loss).backward()  # type: ignore[no-untyped-call]
        return torch.cat([weight.grad.flatten() for weight in model.parameters()])

    plain = gradient(Loss(over="output"))
    at_one = gradient(Loss(over="output", kl=1.0, kl_as_released=True))
    above = gradient(Loss(over="output", kl=2.0, kl_as_released=True))
    full = gradient(Loss(over="output", kl=1.0))
    assert float(at_one.abs().max()) < 1e-6 * float(plain.abs().max())
    torch.testing.assert_close(above, -plain, rtol=1e-3, atol=1e-5)
    # At the base itself the true divergence has no slope, and the gradient is the likelihood's.
    torch.testing.assert_close(full, plain, rtol=1e-3, atol=1e-5)


def test_noise_is_of_a_documents_own_length() -> None:
    model = model_of(FAMILIES[0])
    rows = rows_of(LOSSES["output"])
    (batch,) = step_batches(
        packed(rows, longest=160, tokens_at_once=10_000, pad=0, packing=True),
        LOSSES["output"],
        "cpu",
    )
    plain = model.get_input_embeddings()(batch.ids)
    torch.manual_seed(0)
    with noisy_embeddings(model, 5.0, batch):
        noise = model.get_input_embeddings()(batch.ids) - plain
    torch.testing.assert_close(model.get_input_embeddings()(batch.ids), plain, rtol=0, atol=0)
    half = 5.0 / torch.sqrt(batch.lengths * plain.shape[-1])
    largest = noise.abs().amax(-1)
    assert bool((largest <= half * 1.0001).all())
    assert bool((largest > 0.5 * half).all())
    sizes = {len(row.row.ids) for row in rows}
    assert set(batch.lengths.unique().int().tolist()) - {1} == sizes


@pytest.mark.parametrize("member", FAMILIES)
def test_documents_in_one_row_do_not_see_each_other(member: str) -> None:
    assert not leaks(model_of(member), 200)


def test_a_model_that_lets_them_is_found_out() -> None:
    class Heedless(torch.nn.Module):
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, **_: Any) -> Any:
            return self.model(input_ids=input_ids)

    assert leaks(Heedless(model_of(FAMILIES[0])), 200)
