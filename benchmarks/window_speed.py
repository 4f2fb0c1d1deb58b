"""Attention to a sliding window against full attention, over the length of one sequence.

    python benchmarks/window_speed.py
    python benchmarks/window_speed.py --smoke    # the smallest size, in seconds

Both sides run in one process on the same queries, keys and values, packed as the engine packs them.
Printed is the processor time of one layer, and at the shortest length the largest difference from
attention under a dense mask. Exits with 1 if that is more than rounding.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import torch
from transformers.masking_utils import sliding_window_causal_mask_function

from study.inference.attention.hook import AttentionInputs, PositionRule
from study.inference.attention.kernels import ScoreTransform, attention
from study.inference.attention.masks import Mask
from study.inference.attention.path_cache import PathCache
from study.inference.attention.prefill import PrefillAttention
from study.inference.prefix_tree import build_prefix_tree
from study.inference.prefix_tree.packed_batches import BatchCutter, Budget

HEADS, KEY_HEADS, DIM = 8, 4, 64
TRANSFORM = ScoreTransform(DIM**-0.5)
TOKENS = 2048
"Tokens of each packed batch."
MAX_DIFFERENCE = 1e-5


def packed_attention(qkv: list[torch.Tensor], rule: PositionRule | None) -> torch.Tensor:
    """One layer over one sequence, in batches: [length, heads, head_dim]."""
    length = qkv[0].shape[2]
    tree = build_prefix_tree([list(range(length))], block_size=64)
    cutter = BatchCutter(tree, np.zeros(length, dtype=np.bool_))
    outputs = []
    start, path = 0, PathCache()
    while start < length:
        batch = cutter.next_batch(start, Budget(TOKENS, TOKENS))
        span = slice(batch.start, batch.stop)
        prefill = PrefillAttention(batch, path, tree.depth[span], tree.reach[span])
        q, k, v = (x[:, :, span] for x in qkv)
        outputs.append(prefill(AttentionInputs("layer", q, k, v, TRANSFORM, rule)))
        start, path = batch.stop, prefill.next_path()
    return torch.cat(outputs)


def difference(qkv: list[torch.Tensor], window: int, output: torch.Tensor) -> float:
    """The largest difference of `output` from attention under a dense mask."""
    q, k, v = qkv
    distance = torch.arange(q.shape[2]).unsqueeze(1) - torch.arange(q.shape[2])
    allowed = (distance >= 0) & (distance < window)
    mask = Mask.from_allowed(allowed[None, None], q.dtype, q.device)
    expected = attention(q, k, v, TRANSFORM, mask=mask)[0]
    return float((expected[0].transpose(0, 1) - output).abs().max())


@torch.inference_mode()
def main() -> int:
    """Print a line for each length; 0 if the results agree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="the smallest size, in seconds")
    arguments = parser.parse_args()
    lengths, window = ((300,), 50) if arguments.smoke else ((4096, 8192, 16384), 1024)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    rule = PositionRule(sliding_window_causal_mask_function(window))
    agrees = True
    for length in lengths:
        qkv = [
            torch.randn(1, length, heads, DIM, generator=generator).transpose(1, 2)
            for heads in (HEADS, KEY_HEADS, KEY_HEADS)
        ]
        seconds = []
        for each in (None, rule):
            started = time.process_time()
            output = packed_attention(qkv, each)
            seconds.append(time.process_time() - started)
        line = f"{length:6} tokens  full {seconds[0]:6.2f} s  window {seconds[1]:6.2f} s"
        if length == lengths[0]:
            error = difference(qkv, window, output)
            agrees = error <= MAX_DIFFERENCE
            line += f"  largest difference {error:.1e}"
        print(line, flush=True)
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
