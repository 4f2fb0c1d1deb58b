"""How much each turn of a conversation depends on what the user gave: a score from attention.

In: conversations, a seed model with its tokenizer. Out: for each assistant's turn a number in
[0, 1] (Wang et al. 2024, section 5). With Att_h(y, x) the attention of head h in one layer from a
token y of the answer to a token x of any user's turn so far,

    outside    max over h of  mean over y of  sum over x of  Att_h(y, x)     (the definition)
    inside     mean over y of  max over h of  sum over x of  Att_h(y, x)     (as released; larger)

System turns, template and the beginning-of-text token are no user's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from study.errors import StudyError
from study.tuning.data.rendering import INSTRUCTION, OUTPUT, Encoded, NotRenderedError, encode
from study.tuning.data.sources import Turn

TOKENS_AT_ONCE = 8192
LAYER_SHARE = 2 / 3
"The layer looked at where none is named, from below: 15 of TinyLlama's 22."


def load_seed_model(folder: str, device: Any, *, trust_remote_code: bool) -> Any:
    """A model whose attention can be read, in evaluation."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        folder, attn_implementation="eager", trust_remote_code=trust_remote_code,
        use_safetensors=True,
    )  # fmt: skip
    return model.to(device).eval()


def context_scores(
    conversations: Sequence[Sequence[Turn]],
    model: Any,
    tokenizer: Any,
    *,
    layer: int | None,
    heads: Literal["outside", "inside"],
    on_batch: Callable[[int], object] = lambda done: None,
) -> list[dict[int, float]]:
    """For each conversation the score of each of its assistant's turns, by the turn's number. Turns
    beyond the model's window, and conversations it cannot show, have none."""
    import torch

    number = model.config.num_hidden_layers
    chosen = min(number - 1, round(LAYER_SHARE * number)) if layer is None else layer
    attention = _attention_module(model, chosen)
    window = getattr(model.config, "max_position_embeddings", None)
    found: list[dict[int, float]] = [{} for _ in conversations]
    encoded = {}
    for i, turns in enumerate(conversations):
        try:
            row = encode(turns, tokenizer)
        except NotRenderedError:
            continue
        encoded[i] = Encoded(row.ids[:window], row.kinds[:window], row.turns[:window])
    seen: list[torch.Tensor] = []
    handle = attention.register_forward_hook(lambda _, __, made: seen.append(made[1]))
    done = 0
    try:
        for batch in _batches({i: len(row.ids) for i, row in encoded.items()}):
            width = max(len(encoded[i].ids) for i in batch)
            ids = torch.zeros((len(batch), width), dtype=torch.int64)
            for r, i in enumerate(batch):
                ids[r, : len(encoded[i].ids)] = torch.from_numpy(encoded[i].ids.astype(np.int64))
            seen.clear()
            with torch.no_grad():  # what stands to the right is not seen, so padding needs no mask
                model(input_ids=ids.to(model.device), use_cache=False)
            weights = seen[0].float().cpu().numpy()
            for r, i in enumerate(batch):
                found[i] = dict(_scores(encoded[i], weights[r], conversations[i], heads))
            done += len(batch)
            on_batch(done)
    finally:
        handle.remove()
    return found


def _scores(
    row: Encoded, attention: np.ndarray, turns: Sequence[Turn], heads: str
) -> Iterator[tuple[int, float]]:
    """`attention`: [heads, length, length] at least."""
    users = np.array([turn.role == "user" for turn in turns])
    is_user = (row.kinds == INSTRUCTION) & users[np.maximum(row.turns, 0)]
    for number, turn in enumerate(turns):
        answer = np.flatnonzero((row.kinds == OUTPUT) & (row.turns == number))
        given = np.flatnonzero(is_user & (row.turns < number))
        if turn.role == "assistant" and len(answer) and len(given):
            mass = attention[:, answer][:, :, given].sum(-1)  # [heads, tokens of the answer]
            score = mass.mean(1).max() if heads == "outside" else mass.max(0).mean()
            yield number, float(score)


def _attention_module(model: Any, layer: int) -> Any:
    found = [
        module
        for module in model.modules()
        if getattr(module, "layer_idx", None) == layer
        and type(module).__name__.endswith("Attention")
    ]
    if len(found) != 1:
        raise StudyError(
            "tuning.indicators: layer",
            found=f"{len(found)} attention modules of layer {layer} in {type(model).__name__}",
            expected=f"one, of its {model.config.num_hidden_layers} layers counted from 0",
        )
    return found[0]


def _batches(lengths: dict[int, int]) -> Iterator[list[int]]:
    batch: list[int] = []
    for i in sorted(lengths, key=lambda i: (-lengths[i], i)):
        if batch and (len(batch) + 1) * lengths[batch[0]] > TOKENS_AT_ONCE:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
