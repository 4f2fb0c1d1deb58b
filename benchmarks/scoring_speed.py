"""Shared-prefix scoring against two baselines: same requests, one process, results compared.

One is lm-eval's `hf` model, the other plain transformers that reuses the key/value cache of
prefixes (sides/prefix_reuse.py).

    python benchmarks/scoring_speed.py                 # CPU: 56 M parameters, float32
    python benchmarks/scoring_speed.py --gpu           # CUDA: 0.5 B, 1.5 B and 7 B, bfloat16
    python benchmarks/scoring_speed.py --gpu --shapes 0.5B --rows shared individual

For every kind of work, each baseline first runs a tenth of it at each batch size, and then all of
it at the best one; `shared-prefix` runs three times, of which the median counts. Printed are all
times, their ratios with the targets, the difference of the results, and the share of the rate of
plain matrix products that is reached. Exits with 1 if results disagree.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sides.language_models import SeveralSides, silent
from sides.matrix_rate import MatrixProducts, least_operations
from workloads.llama_models import SHAPES, build_model
from workloads.requests import RequestGenerator
from workloads.task_files import TASK, write_task

from study.results.cell_store.partial_responses import PartialResponses, PartialResponseStore
from study.running.cells.forward_monitor import ForwardPassMonitor
from study.running.cells.partial_commits import COMMIT_SECONDS, PartialCommits


@dataclass(frozen=True)
class Scale:
    """What is measured."""

    shapes: tuple[str, ...]
    device: str
    dtype: torch.dtype
    context_window: int
    prefix: int
    "Tokens of all demonstrations."
    items: int = 100
    vocabulary: int = 32_000
    repeats: int = 3
    batch_sizes: tuple[int | str, ...] = (1, 4, 8, 16, "auto")
    reuse_batch_sizes: tuple[int, ...] = (4, 8, 16, 32, 64)
    measured_operations: float = 2e10
    "Floating-point operations by which the rate of one matrix product is measured."


SCALES = {
    "smoke": Scale(("smoke",), "cpu", torch.float32, 512, 40, 4, 3_000, 1, (4,), (4,), 1e8),
    "cpu": Scale(("56M",), "cpu", torch.float32, 512, 300),
    "gpu": Scale(("0.5B", "1.5B", "7B"), "cuda", torch.bfloat16, 4096, 1500),
}


@dataclass(frozen=True)
class Row:
    """One kind of work, and the speed-ups that are expected."""

    name: str
    target: float
    "Over `hf`."
    reuse_target: float
    "Over plain transformers with prefix reuse."
    kind: str
    requests: Callable[[RequestGenerator], list[Any]]


ROWS = (
    Row("shared", 40, 5, "loglikelihood", lambda work: work.choices()),
    Row("individual", 4, 1, "loglikelihood", lambda work: work.choices(shared=False)),
    Row("letters", 12, 5, "loglikelihood", lambda work: work.choices(letters=True)),
    Row("zero", 3, 1, "loglikelihood", lambda work: work.choices(shots=False)),
    Row("generation", 4, 1, "generate_until", lambda work: work.generation()),
    Row("rolling", 1, 1, "loglikelihood_rolling", lambda work: work.rolling()),
)


def generator(scale: Scale) -> RequestGenerator:
    """A new generator of requests, with the default seed."""
    return RequestGenerator(scale.prefix, scale.items, scale.vocabulary)


def compare(row: Row, models: SeveralSides, scale: Scale) -> bool:
    """Run one kind of work on all sides and print a line; whether the results agree."""
    requests = row.requests(generator(scale))
    baselines = {
        name: (target, *models.at_best_batch_size(side, row.kind, requests, sizes))
        for name, target, side, sizes in (
            ("hf", row.target, models.hf, scale.batch_sizes),
            ("prefix reuse", row.reuse_target, models.prefix_reuse, scale.reuse_batch_sizes),
        )
    }
    # Several times, each with a new model: the work is short, and machines are shared. The rate of
    # plain products is measured in the same minute.
    runs, shares = [], []
    for _ in range(scale.repeats):
        ours = models.shared_prefix()
        runs.append(models.timed(ours, row.kind, requests))
        if row.kind == "loglikelihood":
            shares.append(share_of_matrix_rate(ours, requests, runs[-1].seconds, models, scale))
    run = sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]
    agrees, parts = True, []
    for name, (target, size, baseline) in baselines.items():
        agreement, difference = models.agreement(
            ours, row.kind, requests, run.results, baseline.results
        )
        agrees &= agreement
        ratio = baseline.seconds / run.seconds
        parts.append(
            f"{name} {baseline.seconds:.2f} s (batch {size}): {ratio:.1f}x (target {target}x), "
            f"{difference}{baseline.memory()}"
        )
    share = f", {sorted(shares)[len(shares) // 2]:.2f} of the matrix rate" if shares else ""
    path = ours.report()["path"]
    print(f"{row.name:12} shared-prefix {run.seconds:.2f} s ({path}){share}{run.memory()}")
    for part in parts:
        print(f"{'':12} {part}", flush=True)
    return agrees


def share_of_matrix_rate(
    ours: Any, requests: list[Any], seconds: float, models: SeveralSides, scale: Scale
) -> float:
    """The least time that the arithmetic takes, as a share of the time taken."""
    encoded = [ours._encode_pair(*request.args) for request in requests]
    config, budget = models.model.config, ours.probe.engine.budget
    products = MatrixProducts(next(models.model.parameters()), scale.measured_operations)
    operations = least_operations(config, encoded)
    return products.seconds(config, operations, budget.tokens, min(budget.rows, 512)) / seconds


def compare_simple_evaluate(models: SeveralSides, scale: Scale) -> bool:
    """The first row as a whole: lm-eval builds the prompts, queries the model and scores."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    with tempfile.TemporaryDirectory() as folder:
        write_task(Path(folder), generator(scale))
        with silent():
            manager = TaskManager(include_path=folder, include_defaults=False)
        scores, times = [], []
        for lm in (models.shared_prefix(), models.hf(8)):
            start = time.perf_counter()
            with silent():
                results = simple_evaluate(
                    lm,
                    tasks=[TASK],
                    num_fewshot=5,
                    task_manager=manager,
                    bootstrap_iters=0,
                    log_samples=True,
                )
            scores.append(results["results"][TASK]["acc,none"])
            times.append(time.perf_counter() - start)
    print(
        f"{'evaluate':12} hf {times[1]:8.2f} s (batch 8)  shared-prefix {times[0]:7.2f} s  "
        f"{times[1] / times[0]:6.1f}x (target 15x)  accuracies {scores[0]} and {scores[1]}",
        flush=True,
    )
    return bool(scores[0] == scores[1])


def compare_commits(models: SeveralSides, scale: Scale) -> bool:
    """Generation with and without commits of partial responses; whether the texts are equal.

    The clock of the commits is so fast that there is one a second.
    """
    requests = generator(scale).generation()
    seconds: dict[bool, list[float]] = {False: [], True: []}
    texts: list[list[str]] = []
    writes = 0
    for repeat in range(2 * scale.repeats):
        ours, commits = models.shared_prefix(), bool(repeat % 2)
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            store = CountingStore(Path(folder))
            if commits:
                partial = PartialCommits(
                    store,
                    "benchmark",
                    {},
                    ForwardPassMonitor(lambda: None),
                    lambda: COMMIT_SECONDS * time.monotonic(),
                )
                stack.enter_context(partial.resume(ours))
            run = models.timed(ours, "generate_until", requests)
            writes += store.writes
        seconds[commits].append(run.seconds)
        texts.append(run.results)
    without, with_commits = (sorted(seconds[side])[scale.repeats // 2] for side in (False, True))
    equal = all(responses == texts[0] for responses in texts)
    print(
        f"{'commits':12} without {without:8.2f} s  with {with_commits:7.2f} s  "
        f"{with_commits / without:6.2f}x  {writes / scale.repeats:.1f} commits, texts "
        f"{'equal' if equal else 'differ'}",
        flush=True,
    )
    return equal


FURTHER = {"evaluate": compare_simple_evaluate, "commits": compare_commits}


class CountingStore(PartialResponseStore):
    """A store that counts its writes."""

    writes = 0

    def write(self, key: str, partial: PartialResponses) -> None:
        """Write, and count."""
        self.writes += 1
        super().write(key, partial)


@torch.no_grad()
def main() -> int:
    """Run the chosen rows; 0 if all results agree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="the smallest size, in seconds")
    parser.add_argument("--rows", nargs="+", default=[*(row.name for row in ROWS), *FURTHER])
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, help="sizes of the model")
    arguments = parser.parse_args()
    if arguments.gpu and not torch.cuda.is_available():
        print("no CUDA device: nothing was measured")
        return 0
    scale = SCALES["gpu" if arguments.gpu else "smoke" if arguments.smoke else "cpu"]
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    agrees = True
    for shape in arguments.shapes or scale.shapes:
        model = build_model(
            shape, scale.device, scale.dtype, scale.context_window, scale.vocabulary
        )
        models = SeveralSides(model)
        count = sum(p.numel() for p in model.parameters()) / 1e6
        print(
            f"{shape}: {count:.1f} M parameters, {scale.device}, {scale.dtype}, prefix "
            f"{scale.prefix} tokens"
        )
        for row in ROWS:
            if row.name in arguments.rows:
                agrees &= compare(row, models, scale)
        for name, compare_further in FURTHER.items():
            if name in arguments.rows:
                agrees &= compare_further(models, scale)
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
