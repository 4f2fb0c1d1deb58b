"""Whether a loaded model may be packed, asked of the model itself.

In: a model as lm-eval calls it. Out: `Probe`: the engine to use or the reason for none, and how far
packed log-probabilities lay from those of plain forward passes. A few sequences that share prefixes
are scored both ways, and rows generated in a batch are followed token by token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from study.inference.attention.hook import NotPackable
from study.inference.engine import BLOCK, Engine
from study.inference.generation.decoding import begun, prefilled
from study.inference.packed_batches import Budget
from study.inference.prefix_tree import prefix_tree

TOLERANCE = {
    torch.float64: 1e-3,
    torch.float32: 1e-3,
    torch.float16: 2e-2,
    torch.bfloat16: 1e-1,
}
"Root mean square difference of log-probabilities; a wrong mask or position shows in tenths."
SHARED, STEPS = 40, 3
KNOWN_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}
LONGEST_PROBED = 32768
"A window wider than this is not reached by the probe, nor by packing."


@dataclass(frozen=True)
class Probe:
    """What was found."""

    engine: Engine | None
    "None if the model takes the plain path."
    reason: str
    "Why it does; empty if packed."
    error: float | None
    "Root mean square difference of log-probabilities, packed against plain; None if it failed."
    tolerance: float | None
    longest: int
    "Tokens of the longest sequence that may be packed."


def probe(model: Any, longest: int) -> Probe:
    """Tries a model whose context is `longest` tokens."""
    tolerance = TOLERANCE.get(model.dtype)
    error = None
    try:
        if tolerance is None:
            raise NotPackable(f"no tolerance is known for {model.dtype}")
        engine = Engine(model)
        longest = min(longest, _trusted_length(engine.model.config))
        _reaches_all_layers(engine)
        error = float(np.sqrt(np.mean(np.square(_differences(model, engine, longest)))))
        # Not "greater than": a difference that is not a number is no agreement.
        if not error <= tolerance:
            raise NotPackable(f"packed log-probabilities are off by {error:.2g}")
    except Exception as refusal:  # whatever a model's code does with what it is given
        kind = "" if isinstance(refusal, NotPackable) else f"{type(refusal).__name__}: "
        reason = f"{kind}{refusal}"
        return Probe(None, reason, error, tolerance, 0)
    return Probe(engine, "", error, tolerance, longest)


def _trusted_length(config: Any) -> int:
    """Up to which length a token's computation depends on what is before it alone."""
    config = config.get_text_config()
    if kinds := set(getattr(config, "layer_types", None) or ()) - KNOWN_LAYERS:
        raise NotPackable(f"it has layers of kind {', '.join(sorted(kinds))}")
    rope = getattr(config, "rope_parameters", None) or {}
    of_layers = rope.values() if all(isinstance(x, dict) for x in rope.values()) else [rope]
    length = LONGEST_PROBED if _window(config) else 2**31
    for entry in of_layers:
        # These two choose the frequencies of every token by the length of the whole batch.
        if entry.get("rope_type") in ("dynamic", "longrope"):
            original = entry.get("original_max_position_embeddings")
            length = min(length, int(original or config.max_position_embeddings))
    return length


def _window(config: Any) -> int | None:
    sizes = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    return min((size for size in sizes if size), default=None)


def _reaches_all_layers(engine: Engine) -> None:
    layers = engine.model.config.get_text_config().num_hidden_layers
    reached = len(prefilled(engine, [0, 1]).layers)
    if reached < layers:
        raise NotPackable(f"{reached} of its {layers} layers attend where packing reaches them")


def _sequences(engine: Engine, longest: int) -> tuple[list[list[int]], int]:
    """Random tokens: all but the last with a shared prefix, whose length is told, and short and
    long branches, one longer than the model's window if it has one."""
    generator = np.random.default_rng(0)

    def some(number: int) -> list[int]:
        # Ids from the middle of the vocabulary: special tokens stand at its ends.
        low, high = engine.vocabulary // 8, max(engine.vocabulary * 5 // 8, 2)
        return [int(token) for token in generator.integers(low, high, number)]

    shared = some(min(SHARED, longest // 2))
    sequences = []
    for length in (5, 17, BLOCK + 10):
        stem = shared + some(length)
        sequences += [stem + some(3), stem + some(2), stem[:-1] + some(4)]
    window = _window(engine.model.config.get_text_config())
    if window and window < longest:
        stem = shared + some(window + 24)
        sequences += [stem, stem[:-8] + some(12)]
    sequences.append(some(SHARED))
    return [sequence[:longest] for sequence in sequences], len(shared)


def _differences(model: Any, engine: Engine, longest: int) -> npt.NDArray[np.float64]:
    """Packed minus plain log-probabilities, for the last tokens of every sequence."""
    sequences, shared = _sequences(engine, longest)
    scored = [min(len(sequence) - 1, 2 * SHARED) for sequence in sequences]
    plain = [_plain(model, engine, s, n) for s, n in zip(sequences, scored, strict=True)]
    tree = prefix_tree(sequences, block=BLOCK)
    starts = [len(s) - n for s, n in zip(sequences, scored, strict=True)]
    nodes = [tree.path(i, at - 1, len(sequences[i]) - 1) for i, at in enumerate(starts)]
    targets = [np.array(s[at:]) for s, at in zip(sequences, starts, strict=True)]
    own = engine.budget
    # Several packs, so that the path between them is probed too.
    engine.budget = Budget(min(own.tokens, max(96, len(tree.tokens) // 4)), own.rows)
    packed, _ = engine.scores(tree, np.concatenate(nodes), np.concatenate(targets))
    engine.budget = own
    differences = [packed - np.concatenate(plain)]
    long = [i for i, s in enumerate(sequences[:-1]) if len(s) > shared + STEPS]
    if long:
        prefix, tails = sequences[0][:shared], [sequences[i][shared:] for i in long]
        followed = _followed(engine, prefix, tails)
        differences.append((followed - np.stack([plain[i][-STEPS:] for i in long])).ravel())
    return np.concatenate(differences)


@torch.inference_mode()
def _plain(model: Any, engine: Engine, sequence: list[int], scored: int) -> npt.NDArray[np.float64]:
    tokens = torch.tensor([sequence], device=engine.device)
    logits = model(tokens).logits[0, -scored - 1 : -1].float()
    target = tokens[0, -scored:, None].to(logits.device)
    return F.log_softmax(logits, -1).gather(1, target)[:, 0].double().cpu().numpy()


@torch.inference_mode()
def _followed(engine: Engine, prefix: list[int], tails: list[list[int]]) -> npt.NDArray[np.float64]:
    """Log-probabilities [rows, steps] of each tail's last tokens, one step of a batch each."""
    path = prefilled(engine, prefix)
    rows, logits = begun(engine, path, [tail[:-STEPS] for tail in tails], STEPS)
    found = []
    for step in range(STEPS):
        tokens = np.array([tail[step - STEPS] for tail in tails])
        target = torch.from_numpy(tokens).to(logits.device)[:, None]
        found.append(F.log_softmax(logits.float(), -1).gather(1, target)[:, 0].double().cpu())
        if step < STEPS - 1:
            logits = rows.step(engine, tokens)
    return torch.stack(found, 1).numpy()
