"""Tuning against transformers' Trainer with padding and TRL's SFTTrainer; models side by side.

    python benchmarks/tuning_speed.py                              # CPU
    python benchmarks/tuning_speed.py --gpu --member llama-late-l

The same model, data and steps in one process; the losses of every step must agree. On a CPU, small
models are also tuned two at a time and one after another. Without `trl` installed, SFTTrainer is
skipped. Exits with 1 if losses or weights disagree.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import yaml
from sides.trainers import Curve, Training, train_packed, train_padded, train_trl
from workloads.tuning_rows import generate_rows

from study.planning.plan_study import plan_study
from study.results.run import Run
from study.running.dispatch import training_jobs
from study.running.executors.local import LocalExecutor
from study.zoo.tokenizer import tokenizer

MAX_LOSS_DIFFERENCE = 2e-3
MAX_WEIGHT_DIFFERENCE = 1e-2
PAIRS = [
    f"{family}-{when}-{size}"
    for family in ("llama", "neox", "olmo2")
    for when in ("early", "late")
    for size in ("s", "m")
]


def trainers() -> dict[str, Callable[[Training], Curve]]:
    """The trainers that are compared, ours first."""
    known: dict[str, Callable[[Training], Curve]] = {
        "packed (ours)": train_packed,
        "Trainer, padded": train_padded,
    }
    if importlib.util.find_spec("trl") is None:
        print("trl is not installed: SFTTrainer is skipped")
        return known
    return {**known, "TRL SFTTrainer": train_trl}


def compare_trainers(training: Training, rounds: int) -> bool:
    """Print the speed of each trainer; whether the losses of all steps agree."""
    lengths = np.array([len(row) for row in training.rows])
    tokens = int(lengths.sum())
    print(
        f"{training.member}: {len(lengths)} rows of {lengths.min()}-{lengths.max()} tokens, mean "
        f"{lengths.mean():.0f}; {tokens} tokens, {training.batch} rows per step, {training.device}"
    )
    ways = trainers()
    warm_up = Training(
        training.member,
        training.rows[: 2 * training.batch],
        training.batch,
        training.device,
        training.tokenizer,
    )
    for way in ways.values():
        way(warm_up)
    times: dict[str, list[float]] = {name: [] for name in ways}
    losses: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            seconds, losses[name] = way(training)
            times[name].append(seconds)
    best = {name: min(each) for name, each in times.items()}
    ours = next(iter(best))
    agree = True
    for name, seconds in best.items():
        difference = max(abs(a - b) for a, b in zip(losses[name], losses[ours], strict=True))
        agree &= difference < MAX_LOSS_DIFFERENCE
        print(
            f"  {name:<16} {tokens / seconds:>9.0f} tokens/s  {seconds / best[ours]:5.2f}x our "
            f"time  losses differ by {difference:.1e}",
            flush=True,
        )
    return agree


def tuning_study(pairs: list[str], rows: int, epochs: float) -> dict[str, object]:
    """A study file that tunes the bases of some pairs with one recipe."""
    mixture = {"sources": [{"zoo": ["reverse", "category", "addition"]}], "rows": rows}
    recipe = {
        "name": "r",
        "bases": [{"source": "zoo", "pair": pairs}],
        "mixture": "m",
        "optimiser": "o",
    }
    return {
        "name": "benchmark",
        "layout": "zoo",
        "tuning": {
            "mixtures": {"m": mixture},
            "optimisers": {"o": {"learning_rate": 1e-3, "batch": 64, "epochs": epochs}},
            "recipes": [recipe],
        },
        "arms": ["base-2shot", "tuned-0shot-chat"],
        "tasks": {"suite": "zoo_mc"},
        "contrasts": [{"name": "c", "x": "base-2shot", "y": "tuned-0shot-chat"}],
    }


def compare_workers(pairs: list[str], rows: int, epochs: float) -> bool:
    """Tune models two at a time (one core each) and one after another (both cores).

    Prints both times; returns whether the weights agree.
    """
    seconds, weights = {}, {}
    for name, devices in {"two at a time": ["cpu", "cpu"], "one after another": ["cpu"]}.items():
        with tempfile.TemporaryDirectory() as folder:
            run_folder = Path(folder) / "runs" / "r"
            run_folder.mkdir(parents=True)
            text = yaml.safe_dump(tuning_study(pairs, rows, epochs))
            (run_folder / "study.yaml").write_text(text)
            run = Run.open(run_folder)
            planned = plan_study(run)
            start = time.perf_counter()
            events = LocalExecutor(run, devices).submit(training_jobs(planned), planned)
            failures = [event.failure() for event in events if event.kind == "failed"]
            seconds[name] = time.perf_counter() - start
            assert not failures, failures
            weights[name] = [_weights(tuned.folder) for tuned in planned.resolved.tuned.values()]
    difference = max(
        float((a[key] - b[key]).abs().max())
        for a, b in zip(*weights.values(), strict=True)
        for key in a
    )
    for name, each in seconds.items():
        print(f"  {len(pairs)} models {name:<18} {each:6.1f} s")
    ratio = seconds["one after another"] / seconds["two at a time"]
    print(f"  two at a time: {ratio:.2f}x; weights differ by {difference:.1e}")
    return difference < MAX_WEIGHT_DIFFERENCE


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def main() -> int:
    """Run both comparisons; 0 if losses and weights agree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--member", default="llama-late-l", help="a pair of the zoo")
    parser.add_argument(
        "--smoke", action="store_true", help="the smallest size, in seconds: one small model"
    )
    arguments = parser.parse_args()
    words = tokenizer()
    if arguments.smoke:
        rows = generate_rows(12, words)
        return 0 if compare_trainers(Training(PAIRS[0], rows, 4, "cpu", words), rounds=1) else 1
    device = "cuda" if arguments.gpu else "cpu"
    torch.set_num_threads(8 if arguments.gpu else 2)
    training = Training(arguments.member, generate_rows(1500, words), 50, device, words)
    agree = compare_trainers(training, arguments.rounds)
    if not arguments.gpu:
        agree &= compare_workers(PAIRS[:8], rows=3000, epochs=3)
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
