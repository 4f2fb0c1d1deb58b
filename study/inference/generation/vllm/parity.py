"""Whether vLLM generates what our own engine would: its tokens, checked one by one.

In: an engine, prompts, the tokens that vLLM generated greedily. Out: `Parity`. Every token is
compared with the engine's own choice after the same tokens, in one packed forward pass. In half
precision the two may choose differently where two tokens are almost equally probable, so a token
also agrees if its logit is almost the greatest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from study.inference.engine import BLOCK_SIZE, Engine
from study.inference.prefix_tree import build_prefix_tree

PROMPTS = 64
"Prompts whose responses are compared before any response of a cell counts."
MAX_ROWS = 256
"Rows of logits that are held at a time."
MIN_GAP = 1e-3
"Difference of two logits that is rounding in every number format."
GAP_UNITS = 4
"The same in units of the last place of the greatest logit, for half precision."


class ParityError(Exception):
    """vLLM generated a token that our engine would not choose."""


@dataclass(frozen=True)
class Parity:
    """How far the tokens of vLLM agree with those of the engine."""

    prompts: int
    "Responses that were compared."
    tokens: int
    "Tokens in them."
    equal: int
    "Tokens that are the engine's own choice."
    largest_gap: float
    "The greatest logit minus that of vLLM's token, at most over all tokens."

    def summary(self) -> dict[str, float]:
        """For the record of a cell."""
        return {
            "prompts": self.prompts,
            "tokens": self.tokens,
            "equal_tokens": self.equal,
            "largest_gap": self.largest_gap,
        }


@torch.inference_mode()
def check_parity(
    engine: Engine, prompts: Sequence[Sequence[int]], generated: Sequence[Sequence[int]]
) -> Parity:
    """Compare the responses to up to `PROMPTS` prompts; ParityError where they disagree."""
    pairs = [pair for pair in zip(prompts, generated, strict=True) if pair[1]][:PROMPTS]
    sequences = [[*prompt, *tokens] for prompt, tokens in pairs]
    tree = build_prefix_tree([sequence[:-1] for sequence in sequences], block_size=BLOCK_SIZE)
    nodes = np.concatenate(
        [
            tree.path(index, len(prompt) - 1, len(prompt) + len(tokens) - 1)
            for index, (prompt, tokens) in enumerate(pairs)
        ]
    )
    chosen = np.concatenate([np.asarray(tokens, dtype=np.int64) for _, tokens in pairs])
    gaps, limits = np.empty(len(nodes)), np.empty(len(nodes))
    for result in engine.forward_passes(tree, np.unique(nodes)):
        for first in range(0, len(result.nodes), MAX_ROWS):
            some = result.nodes[first : first + MAX_ROWS]
            here = np.flatnonzero((nodes >= some[0]) & (nodes <= some[-1]))
            rows = torch.from_numpy(np.searchsorted(some, nodes[here]))
            logits = result.logits[first : first + MAX_ROWS]
            logits = logits[rows.to(logits.device)].float()
            tokens = torch.from_numpy(chosen[here]).to(logits.device)
            greatest = logits.amax(-1)
            gaps[here] = (greatest - logits.gather(1, tokens[:, None])[:, 0]).double().cpu()
            limits[here] = greatest.abs().double().cpu()
    limits = np.maximum(MIN_GAP, GAP_UNITS * torch.finfo(engine.dtype).eps * limits)
    worst = int(np.argmax(gaps - limits))
    if not (gaps <= limits).all():
        raise ParityError(
            f"vLLM chose token {chosen[worst]}, whose logit is {gaps[worst]:.3g} below the "
            f"greatest; rounding explains {limits[worst]:.2g}. Use our own engine for this model "
            "(engine: shared-prefix)"
        )
    return Parity(len(pairs), len(nodes), int((gaps == 0).sum()), float(gaps.max()))
