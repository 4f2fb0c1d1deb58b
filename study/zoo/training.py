"""Training of a zoo member: a base model from its corpus, a tuned model from the base.

In: a `MemberRecipe`. Out: transformers models with their loss curves. With one thread, the same
machine gives the same weights, and any machine the same losses to about three digits.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from study.zoo.corpus import IGNORED, pretraining_rows, tuning_rows
from study.zoo.language import BOS, EOS, ID_OF, PAD, WORDS
from study.zoo.members import CONTEXT_LENGTH, ROW_LENGTH, Member, MemberRecipe

WARMUP_SHARE = 0.05
"Share of the steps in which the learning rate rises."
_DIGESTED_ROWS = 64
"Number of rows of the data that enter a member's digest."


def recipe_digest(member: Member) -> str:
    """sha256 of everything that decides the member's weights: its recipe and its training data."""
    recipe = member.recipe
    digest = hashlib.sha256(json.dumps(dataclasses.asdict(member), sort_keys=True).encode())
    digest.update(" ".join(WORDS).encode())
    digest.update(_corpus(recipe, rows=_DIGESTED_ROWS).tobytes())
    for array in tuning_rows(seed=recipe.seed, skills=member.learned, rows=_DIGESTED_ROWS):
        digest.update(array.tobytes())
    return digest.hexdigest()


def _corpus(recipe: MemberRecipe, *, rows: int) -> np.ndarray:
    """The first `rows` rows of the recipe's corpus, int16 [rows, ROW_LENGTH]."""
    return pretraining_rows(
        seed=recipe.corpus_seed,
        weights=recipe.weights(),
        titled_share=recipe.titled_share,
        rows=rows,
        length=ROW_LENGTH,
    )


def untrained(recipe: MemberRecipe) -> Any:
    """A transformers model of the recipe's architecture and size, with random weights."""
    from transformers import AutoConfig, AutoModelForCausalLM

    size = recipe.size
    feed_forward = 4 * size.hidden if recipe.architecture == "gpt_neox" else 2 * size.hidden
    config = AutoConfig.for_model(
        recipe.architecture,
        vocab_size=len(WORDS),
        hidden_size=size.hidden,
        intermediate_size=feed_forward,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        max_position_embeddings=CONTEXT_LENGTH,
        tie_word_embeddings=True,
        bos_token_id=ID_OF[BOS],
        eos_token_id=ID_OF[EOS],
        pad_token_id=ID_OF[PAD],
        dtype="float32",
        **({} if recipe.architecture == "gpt_neox" else {"num_key_value_heads": size.heads}),
    )
    torch.manual_seed(recipe.seed)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def _loss(model: Any, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean negative log-likelihood of `labels` [rows, length], which are shifted by one here."""
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
    return torch.nn.functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1), ignore_index=IGNORED
    )


def _optimisers(model: Any, peak: float) -> list[torch.optim.Optimizer]:
    """Muon (Jordan 2024) for the matrices inside the layers, AdamW for all other weights.

    At these sizes Muon reaches a given loss in about a third of AdamW's steps, so that the zoo can
    be built on a laptop.
    """
    matrices: list[torch.nn.Parameter] = []
    other: list[torch.nn.Parameter] = []
    for name, weight in model.named_parameters():
        (matrices if weight.ndim == 2 and "embed" not in name else other).append(weight)
    return [
        torch.optim.Muon(matrices, lr=peak, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(other, lr=peak, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def _train(
    model: Any,
    batches: Iterator[tuple[torch.Tensor, ...]],
    *,
    steps: int,
    peak: float,
    stop_after: int | None,
    on_step: Callable[[], None],
) -> list[float]:
    """Train with a linear warm-up and a cosine decay to a twentieth of the peak learning rate over
    `steps`; returns the loss of each step."""
    optimisers = _optimisers(model, peak)
    warmup = max(1, round(WARMUP_SHARE * steps))
    losses = []
    model.train()
    for step in range(min(steps, stop_after or steps)):
        share = (step + 1) / warmup if step < warmup else (steps - step) / (steps - warmup)
        scale = share if step < warmup else 0.05 + 0.95 * 0.5 * (1 - math.cos(math.pi * share))
        for group in (g for optimiser in optimisers for g in optimiser.param_groups):
            group["lr"] = peak * scale
        ids, labels = next(batches)
        loss = _loss(model, ids, labels)
        model.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
        losses.append(loss.item())
        on_step()
    model.eval()
    return losses


def _rounded(model: Any) -> Any:
    """Round the float32 weights to half precision, in which they are stored."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.half().float())
    return model


def _batches(arrays: tuple[np.ndarray, ...], size: int) -> Iterator[tuple[torch.Tensor, ...]]:
    for start in range(0, len(arrays[0]), size):
        yield tuple(torch.from_numpy(a[start : start + size].astype(np.int64)) for a in arrays)


def pretrain(
    recipe: MemberRecipe,
    *,
    stop_after: int | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> tuple[Any, list[float]]:
    """Train the base model of a recipe; returns it with its losses.

    `stop_after` ends the training after so many steps of the same schedule.
    """
    model = untrained(recipe)
    rows = _corpus(recipe, rows=min(recipe.steps, stop_after or recipe.steps) * recipe.batch)
    batches = _batches((rows, rows), recipe.batch)
    losses = _train(
        model,
        batches,
        steps=recipe.steps,
        peak=recipe.learning_rate,
        stop_after=stop_after,
        on_step=on_step,
    )
    return _rounded(model), losses


def tune(
    model: Any, member: Member, *, on_step: Callable[[], None] = lambda: None
) -> tuple[Any, list[float]]:
    """Tune `model` in place on the member's instructions; returns it with its losses."""
    recipe = member.recipe
    arrays = tuning_rows(
        seed=recipe.seed, skills=member.learned, rows=recipe.tuning_steps * recipe.tuning_batch
    )
    batches = _batches(arrays, recipe.tuning_batch)
    losses = _train(
        model,
        batches,
        steps=recipe.tuning_steps,
        peak=recipe.tuning_learning_rate,
        stop_after=None,
        on_step=on_step,
    )
    return _rounded(model), losses
