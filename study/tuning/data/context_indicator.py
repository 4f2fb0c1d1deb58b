"""How much each turn of a conversation depends on the user's turns: a score from attention.

In: conversations, a seed model with its tokenizer. Out: for each assistant turn a number in [0, 1]
(Wang et al. 2024, section 5). With Att_h(y, x) the attention of head h of one layer from a token y
of the answer to a token x of any earlier user turn,

    outside    max over h of  mean over y of  sum over x of  Att_h(y, x)     (the definition)
    inside     mean over y of  max over h of  sum over x of  Att_h(y, x)     (as released; larger)

Tokens of system turns, of the template, and the beginning-of-text token do not count as x.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from study.config.study import Study
from study.config.tuning.grids import Recipe
from study.errors import StudyError
from study.models.chat_templates.rendering import Rendering
from study.models.chat_templates.study_renderings import model_rendering
from study.models.folders.loading import load_model
from study.models.pairs import located
from study.models.tokenizers import TokenizerOverrides, tokenizer_template
from study.models.weights import ModelFacts, model_facts
from study.tuning.data.rendering import (
    INSTRUCTION,
    OUTPUT,
    EncodedConversation,
    NotRenderedError,
    encode,
)
from study.tuning.data.sources import Turn

TOKENS_PER_BATCH = 8192
"Maximum number of tokens, padding included, of one forward pass of the seed model."
DEFAULT_DEPTH = 2 / 3
"Relative depth of the layer that is read by default: layer 15 of TinyLlama's 22."


def seed_model_facts(recipe: Recipe, study: Study) -> ModelFacts | None:
    """Facts about the indicator's seed model; None if the recipe has no indicator. StudyError if
    the model is not on this machine."""
    if recipe.indicator is None:
        return None
    ref = located(recipe.indicator.seed_model, study.folder)
    return model_facts(
        ref,
        allow_pickled_weights=study.allow_pickled_weights,
        trust_remote_code=study.trust_remote_code,
    )


def seed_rendering(recipe: Recipe, facts: ModelFacts, study: Study) -> Rendering:
    """What the chat template is rendered from when the seed model reads a conversation. Arguments
    that only the template of the recipe's base reads are not passed to it."""
    overrides = TokenizerOverrides(recipe.template, trust_remote_code=study.trust_remote_code)
    source = tokenizer_template(facts.tokenizer, facts.folder, overrides)
    arguments = source.read(recipe.template_arguments, str(facts.folder))
    return model_rendering(facts, overrides, date=study.date, arguments=arguments)


def load_seed_model(folder: str, device: Any, *, trust_remote_code: bool) -> Any:
    """A transformers model that returns its attention weights, in evaluation mode."""
    model = load_model(
        Path(folder), trust_remote_code=trust_remote_code, attn_implementation="eager"
    )
    return model.to(device).eval()


def score_turns(
    conversations: Sequence[Sequence[Turn]],
    model: Any,
    tokenizer: Any,
    rendering: Rendering,
    *,
    layer: int | None,
    heads: Literal["outside", "inside"],
    on_batch: Callable[[int], object] = lambda done: None,
) -> list[dict[int, float]]:
    """Scores of the assistant turns of each conversation, by the index of the turn.

    Turns beyond the model's context window have no score, nor have conversations that its chat
    template cannot render. `on_batch` receives the number of conversations scored so far.
    """
    import torch

    layers = model.config.num_hidden_layers
    layer = min(layers - 1, round(DEFAULT_DEPTH * layers)) if layer is None else layer
    attention = _attention_module(model, layer)
    window = getattr(model.config, "max_position_embeddings", None)
    scores: list[dict[int, float]] = [{} for _ in conversations]
    encoded = {}
    for i, turns in enumerate(conversations):
        try:
            encoded[i] = encode(turns, tokenizer, rendering).truncated(window)
        except NotRenderedError:
            continue
    outputs: list[torch.Tensor] = []
    handle = attention.register_forward_hook(lambda _, __, output: outputs.append(output[1]))
    done = 0
    try:
        for batch in _batches({i: len(row.ids) for i, row in encoded.items()}):
            outputs.clear()
            ids = torch.from_numpy(_padded([encoded[i].ids for i in batch])).to(model.device)
            with torch.no_grad():  # attention is causal, so padding on the right needs no mask
                model(input_ids=ids, use_cache=False)
            weights = outputs[0].float().cpu().numpy()
            for row, i in enumerate(batch):
                turn_scores = _turn_scores(encoded[i], weights[row], conversations[i], heads)
                scores[i] = dict(turn_scores)
            done += len(batch)
            on_batch(done)
    finally:
        handle.remove()
    return scores


def _padded(rows: Sequence[np.ndarray]) -> np.ndarray:
    """int64 [rows, longest], zeros on the right."""
    ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    return ids


def _turn_scores(
    encoded: EncodedConversation, attention: np.ndarray, turns: Sequence[Turn], heads: str
) -> Iterator[tuple[int, float]]:
    """(index of the turn, score). `attention` is [heads, >= length, >= length]."""
    is_user_turn = np.array([turn.role == "user" for turn in turns])
    is_user = (encoded.kinds == INSTRUCTION) & is_user_turn[np.maximum(encoded.turns, 0)]
    for i, turn in enumerate(turns):
        answer = np.flatnonzero((encoded.kinds == OUTPUT) & (encoded.turns == i))
        context = np.flatnonzero(is_user & (encoded.turns < i))
        if turn.role == "assistant" and len(answer) and len(context):
            mass = attention[:, answer][:, :, context].sum(-1)  # [heads, answer tokens]
            score = mass.mean(1).max() if heads == "outside" else mass.max(0).mean()
            yield i, float(score)


def _attention_module(model: Any, layer: int) -> Any:
    modules = [
        module
        for module in model.modules()
        if getattr(module, "layer_idx", None) == layer
        and type(module).__name__.endswith("Attention")
    ]
    if len(modules) != 1:
        raise StudyError(
            "tuning.indicators: layer",
            found=f"{len(modules)} attention modules of layer {layer} in {type(model).__name__}",
            expected=f"one, of its {model.config.num_hidden_layers} layers counted from 0",
        )
    return modules[0]


def _batches(lengths: dict[int, int]) -> Iterator[list[int]]:
    """Indices in batches of at most `TOKENS_PER_BATCH` padded tokens, the longest rows first."""
    batch: list[int] = []
    for i in sorted(lengths, key=lambda i: (-lengths[i], i)):
        if batch and (len(batch) + 1) * lengths[batch[0]] > TOKENS_PER_BATCH:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
