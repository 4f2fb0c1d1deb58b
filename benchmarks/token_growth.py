"""Tokens before any forward pass: encoding what prompts share once, and the growth of prefix trees.

    python benchmarks/token_growth.py                     # both parts; writes docs/growth.png
    python benchmarks/token_growth.py encoding

encoding  500 prompts of about 1,500 tokens that share their first 1,400, with a byte-level BPE of
          128,000 tokens: whole by the tokenizer, and in parts; ids compared
growth    building a prefix tree and cutting it into batches, by items, prefixes, question length,
          choices, shots and vocabulary

All times are CPU times of one thread. Exits with 1 if ids differ, if the time does not grow with
the distinct tokens with an exponent of 1 +- 0.1, or if it grows with all tokens at equal distinct
tokens, or with the vocabulary, with an exponent above 0.05.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from workloads.texts import TextGenerator, bpe_tokenizer
from workloads.token_trees import Shape

from study.inference.engine import BLOCK_SIZE
from study.inference.lm_eval_model.encoding.texts import Encoder
from study.inference.prefix_tree import TokenSequences, build_prefix_tree
from study.inference.prefix_tree.packed_batches import BatchCutter, Budget

ROOT = Path(__file__).parents[1]
BUDGET = Budget(tokens=8192, rows=2048)
MAX_DEVIATION, MAX_EXPONENT = 0.1, 0.05
DISTINCT = 400_000
"Distinct tokens where all tokens grow."


@dataclass(frozen=True)
class Curve:
    """What is varied, and the exponent with which the time may grow."""

    name: str
    axis: str
    shapes: list[Shape]
    size: Callable[[Shape, int], float]
    "From a shape and its number of nodes, the number against which the time is compared."
    constant: bool = False


def curves(scale: int) -> list[Curve]:
    """All curves; `scale` divides the sizes."""
    axis, factors = "distinct tokens", [1, 2, 4, 8, 16]
    # Few different tokens, so that as many questions begin alike whatever their number.
    base = Shape(items=2_000 // scale, prefix=1_000 // scale, vocabulary=1_000)
    long = Shape(items=400 // scale, prefix=1_000 // scale)
    short = Shape(items=1_000 // scale, prefix=1_000 // scale, question=5, choice=20)
    prefixes = [0, 1_000, 4_000, 16_000]
    requests = 4_000 // scale
    distinct = DISTINCT // scale
    shots = [
        Shape(
            items=requests,
            prefix=prefix // scale,
            question=(distinct - prefix // scale) // requests - 20,
        )
        for prefix in prefixes
    ]

    def nodes(shape: Shape, count: int) -> float:
        return count

    def all_tokens(shape: Shape, count: int) -> float:
        return shape.items * shape.choices * (shape.prefix + shape.question + shape.choice)

    def vary(shape: Shape, name: str, values: list[int]) -> list[Shape]:
        return [Shape(**{**vars(shape), name: value}) for value in values]

    return [
        Curve("items", axis, vary(base, "items", [base.items * f for f in factors]), nodes),
        Curve("prefixes", axis, vary(base, "prefixes", factors), nodes),
        Curve("question", axis, vary(long, "question", [1_000 * f for f in factors]), nodes),
        Curve("choices", axis, vary(short, "choices", [8 * f for f in factors]), nodes),
        Curve("shots", "all tokens", shots, all_tokens, constant=True),
        Curve(
            "vocabulary",
            "vocabulary",
            vary(base, "vocabulary", [2_000, 8_000, 32_000, 128_000]),
            lambda shape, count: shape.vocabulary,
            constant=True,
        ),
    ]


def measure(shape: Shape, repeats: int) -> tuple[int, float]:
    """(nodes, least CPU seconds) of building the tree and cutting it into batches."""
    sequences = shape.sequences()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        tree = build_prefix_tree(sequences, block_size=BLOCK_SIZE)
        nodes = len(tree.tokens)
        cutter = BatchCutter(tree, np.arange(nodes) % 3 == 0)
        node = 0
        while node < nodes:
            node = cutter.next_batch(node, BUDGET).stop
        seconds.append(time.process_time() - start)
    return nodes, min(seconds)


def compare_growth(scale: int, repeats: int, figure: Path) -> bool:
    """Measure all curves; whether their exponents are as they should be."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure_, axes = pyplot.subplots(2, 3, figsize=(9, 5.5), layout="constrained")
    right = True
    for curve, plot in zip(curves(scale), axes.flat, strict=True):
        measured = [measure(shape, repeats) for shape in curve.shapes]
        sizes = [curve.size(s, n) for s, (n, _) in zip(curve.shapes, measured, strict=True)]
        seconds = [each for _, each in measured]
        exponent = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
        limits = (-1, MAX_EXPONENT) if curve.constant else (1 - MAX_DEVIATION, 1 + MAX_DEVIATION)
        is_right = limits[0] <= exponent <= limits[1]
        right &= is_right
        print(
            f"{curve.name:10} {min(sizes):11,.0f} to {max(sizes):13,.0f} {curve.axis:15} "
            f"{seconds[0]:6.3f} to {seconds[-1]:6.3f} s, exponent {exponent:5.2f}"
            f"{'' if is_right else ' (too large)' if exponent > limits[1] else ' (too small)'}",
            flush=True,
        )
        plot.loglog(sizes, seconds, "o-")
        plot.set_title(f"{curve.name}: exponent {exponent:.2f}".replace("-", "\N{MINUS SIGN}"))
        plot.set_xlabel(curve.axis)
        plot.set_ylim(min(seconds) / 3, max(seconds) * 3)
    for plot in axes[:, 0]:
        plot.set_ylabel("CPU seconds")
    figure_.savefig(figure, dpi=110)
    return right


def compare_encoding(prompts: int, words: int, vocabulary: int, cache: Path) -> bool:
    """Encode prompts whole and in parts; whether the ids are equal."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one thread
    generator = TextGenerator(words=vocabulary * 5 // 4)
    shared = generator.text(words * 14 // 15)
    texts = [f"{shared} {generator.text(words // 15)}" for _ in range(prompts)]

    def in_parts(tokenizer: Any) -> list[list[int]]:
        encoder = Encoder(tokenizer)
        encoder.add(dict.fromkeys(texts))
        return [encoder.encode(text, None) for text in texts]

    seconds, ids = [], []
    for encode in (lambda tokenizer: tokenizer(texts).input_ids, in_parts):
        tokenizer = bpe_tokenizer(vocabulary, cache)  # its own cache of words is empty
        start = time.process_time()
        ids.append(encode(tokenizer))
        seconds.append(time.process_time() - start)
    mean = sum(map(len, ids[0])) / len(texts)
    common = int(TokenSequences.of(ids[0]).shared[1:].min())
    equal = ids[0] == ids[1]
    print(
        f"encoding   {len(texts)} prompts of {mean:.0f} tokens that share {common}: whole "
        f"{seconds[0]:.2f} s, in parts {seconds[1]:.2f} s, {seconds[0] / seconds[1]:.1f}x; ids "
        f"{'equal' if equal else 'DIFFER'}",
        flush=True,
    )
    return equal


def main() -> int:
    """Run the chosen parts; 0 if ids are equal and exponents as they should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=[], help="encoding, growth; by default both")
    parser.add_argument("--smoke", action="store_true", help="the smallest size, in seconds")
    arguments = parser.parse_args()
    right = True
    with tempfile.TemporaryDirectory() as folder:
        for part in arguments.parts or ("encoding", "growth"):
            if part == "encoding" and arguments.smoke:
                right &= compare_encoding(20, 150, 2_000, Path(folder))
            elif part == "encoding":
                right &= compare_encoding(500, 640, 128_000, ROOT / "build")
            elif arguments.smoke:  # exponents of such short times say nothing
                compare_growth(40, 1, Path(folder) / "growth.png")
            else:
                right &= compare_growth(1, 2, ROOT / "docs/growth.png")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
