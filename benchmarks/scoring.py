"""Shared-prefix scoring against lm-eval's `hf` model: same requests, one process, answers compared.

    python benchmarks/scoring.py                 # CPU: 56 M parameters, float32
    python benchmarks/scoring.py --gpu           # CUDA: 0.5 B, 1.5 B and 7 B, bfloat16
    python benchmarks/scoring.py --rows shared own

For every kind of work `hf` runs first on a tenth of it at each batch size, then on all of it at the
best one; ours runs three times, of which the middle counts. Prints both times, their ratio, how far
the answers lie apart, and what share of the rate of plain matrix products is reached. Exits with 1
if answers disagree.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flops import fastest, operations
from lm_eval.models.huggingface import HFLM
from transformers import LlamaConfig, LlamaForCausalLM
from work import ITEMS, VOCABULARY, Work, made_up_tokenizer

from study.inference import SharedPrefixLM

BATCH_SIZES = (1, 4, 8, 16, "auto")
SHAPES = {
    "56M": {"hidden_size": 512, "intermediate_size": 1280, "num_hidden_layers": 8,
            "num_attention_heads": 8, "num_key_value_heads": 8},
    "0.5B": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 26,
             "num_attention_heads": 16, "num_key_value_heads": 16},
    "1.5B": {"hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 28,
             "num_attention_heads": 16, "num_key_value_heads": 16},
    "7B": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
           "num_attention_heads": 32, "num_key_value_heads": 32},
}  # fmt: skip
AGREEMENT = 1e-4
"Largest difference per log-probability in float32."


@dataclass(frozen=True)
class Row:
    """One kind of work, and how many times faster it is to be."""

    name: str
    at_least: float
    kind: str
    requests: Callable[[Work], list[Any]]


ROWS = (
    Row("shared", 30, "loglikelihood", lambda work: work.choices()),
    Row("own", 4, "loglikelihood", lambda work: work.choices(shared=False)),
    Row("letters", 12, "loglikelihood", lambda work: work.choices(letters=True)),
    Row("zero", 3, "loglikelihood", lambda work: work.choices(shots=False)),
    Row("generation", 4, "generate_until", lambda work: work.generation()),
    Row("rolling", 1, "loglikelihood_rolling", lambda work: work.rolling()),
)


def build(shape: str, device: str, dtype: torch.dtype, length: int) -> Any:
    """A llama of this shape with random weights."""
    config = LlamaConfig(
        **SHAPES[shape], vocab_size=VOCABULARY, max_position_embeddings=length,
        tie_word_embeddings=False, bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    with torch.device(device):
        torch.set_default_dtype(dtype)
        model = LlamaForCausalLM(config).eval()
        torch.set_default_dtype(torch.float32)
    return model


class Sides:
    """Both sides over one model."""

    def __init__(self, model: Any) -> None:
        self.model, self.tokenizer = model, made_up_tokenizer()
        self.device = model.device

    def ours(self) -> SharedPrefixLM:
        """A fresh one, which has encoded nothing yet."""
        return SharedPrefixLM(pretrained=self.model, tokenizer=self.tokenizer)

    def theirs(self, batch_size: int | str) -> HFLM:
        """lm-eval's own."""
        # On a CPU its search for a batch size, from 64 sequences of full length, exceeds memory.
        most = 64 if self.device.type == "cuda" else 16
        return HFLM(
            pretrained=self.model,
            tokenizer=self.tokenizer,
            batch_size=batch_size,
            max_batch_size=most,
        )

    def timed(self, lm: Any, kind: str, requests: list[Any]) -> tuple[float, list[Any], float]:
        """Seconds, answers and peak memory in GiB (GPU only)."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
            torch.cuda.synchronize()
        start = time.perf_counter()
        with quiet():
            answers = getattr(lm, kind)(requests, disable_tqdm=True)
        seconds = time.perf_counter() - start
        peak = torch.cuda.max_memory_allocated() / 2**30 if self.device.type == "cuda" else 0.0
        return seconds, answers, peak

    def best_batch_size(self, kind: str, requests: list[Any]) -> int | str:
        """By a tenth of the work."""
        some = requests[: len(requests) // 10]
        times = {size: self.timed(self.theirs(size), kind, some)[0] for size in BATCH_SIZES}
        return min(times, key=lambda size: times[size])


@contextlib.contextmanager
def quiet() -> Any:
    """lm-eval prints while it looks for a batch size."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def compare(row: Row, sides: Sides, prefix: int) -> bool:
    """Runs a kind of work on both sides and prints a line; whether the answers agree."""
    requests = row.requests(Work(prefix))
    with quiet():
        size = sides.best_batch_size(row.kind, requests)
    # Three times, each by a fresh one: it is short, and machines are shared. The rate of plain
    # products is taken in the same minute.
    runs, shares = [], []
    for _ in range(3):
        ours = sides.ours()
        runs.append(sides.timed(ours, row.kind, requests))
        shares.append(of_matrix_rate(row, ours, requests, runs[-1][0], sides))
    seconds, answers, peak = sorted(runs, key=lambda run: run[0])[1]
    plain, expected, plain_peak = sides.timed(sides.theirs(size), row.kind, requests)
    agrees, difference = agreement(row, ours, requests, answers, expected, sides)
    known = [share for share in shares if share is not None]
    share = f"{sorted(known)[1]:.2f} of the matrix rate  " if known else ""
    memory = f"  {peak:.1f} against {plain_peak:.1f} GiB" if peak else ""
    path = ours.report()["path"]
    print(
        f"{row.name:12} hf {plain:8.2f} s (batch {size})  shared-prefix {seconds:7.2f} s ({path})  "
        f"{plain / seconds:6.1f}x (at least {row.at_least}x)  {share}{difference}{memory}",
        flush=True,
    )
    return agrees


def agreement(
    row: Row, ours: Any, requests: list[Any], answers: list[Any], expected: list[Any], sides: Sides
) -> tuple[bool, str]:
    """Whether both sides say the same, and how far they lie apart, in words."""
    if row.kind == "generate_until":
        equal = sum(a == b for a, b in zip(answers, expected, strict=True))
        fine = equal == len(answers) or sides.model.dtype != torch.float32
        return fine, f"{equal} of {len(answers)} texts equal"
    if row.kind == "loglikelihood_rolling":
        tokens = [len(ours.tok_encode(request.args[0])) for request in requests]
        apart = max(abs(a - b) / n for a, b, n in zip(answers, expected, tokens, strict=True))
        return apart <= AGREEMENT or sides.model.dtype != torch.float32, f"apart {apart:.1e}"
    tokens = [len(ours._encode_pair(*request.args)[1]) for request in requests]
    apart = max(abs(a[0] - b[0]) / n for a, b, n in zip(answers, expected, tokens, strict=True))
    flips = sum(a[1] != b[1] for a, b in zip(answers, expected, strict=True))
    said = f"apart {apart:.1e}, greedy flags flipped {flips} of {len(answers)}"
    if sides.model.dtype == torch.float32:
        return apart <= AGREEMENT and flips == 0, said
    return half_agrees(requests, answers, expected, sides, said)


def half_agrees(
    requests: list[Any], answers: list[Any], expected: list[Any], sides: Sides, said: str
) -> tuple[bool, str]:
    """Half precision: whether ours is no further from float32's answers than theirs."""
    dtype = sides.model.dtype
    some = slice(0, len(requests) // 5)
    sides.model.float()
    truth = sides.timed(sides.theirs(4), "loglikelihood", requests[some])[1]
    sides.model.to(dtype)

    def error(side: list[Any]) -> float:
        apart = [(a[0] - t[0]) ** 2 for a, t in zip(side[some], truth, strict=True)]
        return float(np.sqrt(np.mean(apart)))

    def flips(side: list[Any]) -> int:
        return sum(a[1] != t[1] for a, t in zip(side[some], truth, strict=True))

    of_ours, of_theirs = error(answers), error(expected)
    said += f"; from float32 {of_ours:.3f} against {of_theirs:.3f}, "
    said += f"flips {flips(answers)} and {flips(expected)}"
    return of_ours <= of_theirs, said


def of_matrix_rate(
    row: Row, ours: Any, requests: list[Any], seconds: float, sides: Sides
) -> float | None:
    """Share of the plain matrix rate, where the arithmetic is known beforehand."""
    if row.kind != "loglikelihood":
        return None
    encoded = [ours._encode_pair(*request.args) for request in requests]
    layers, projection = operations(sides.model.config, encoded)
    budget = ours.probed.engine.budget
    weights = next(sides.model.parameters())
    least = fastest(
        sides.model.config, layers, projection, budget.tokens, min(budget.rows, 512), weights
    )
    return least / seconds


def through_simple_evaluate(sides: Sides, prefix: int, size: int | str) -> bool:
    """The first row, whole: lm-eval builds the prompts, asks the model and scores."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    with tempfile.TemporaryDirectory() as folder:
        write_task(Path(folder), Work(prefix))
        with quiet():
            manager = TaskManager(include_path=folder, include_defaults=False)
        results, times = [], []
        for lm in (sides.ours(), sides.theirs(size)):
            start = time.perf_counter()
            with quiet():
                results.append(
                    simple_evaluate(lm, tasks=["made_up"], num_fewshot=5, task_manager=manager,
                                    bootstrap_iters=0, log_samples=True)
                )  # fmt: skip
            times.append(time.perf_counter() - start)
    scores = [found["results"]["made_up"]["acc,none"] for found in results]
    print(
        f"{'evaluate':12} hf {times[1]:8.2f} s (batch {size})  shared-prefix {times[0]:7.2f} s  "
        f"{times[1] / times[0]:6.1f}x (at least 15x)  accuracies {scores[0]} and {scores[1]}",
        flush=True,
    )
    return bool(scores[0] == scores[1])


def write_task(folder: Path, work: Work) -> None:
    """A local multiple-choice task with one demonstration set."""

    def document(question: int) -> dict[str, Any]:
        return {
            "question": work.words(question),
            "choices": [work.words(n) for n in (3, 4, 5, 6)],
            "gold": 0,
        }

    shots = [document(work._demonstration - 4) for _ in range(5)]
    items = [document(15 + i % 16) for i in range(ITEMS)]
    for name, documents in (("shots", shots), ("items", items)):
        lines = "".join(json.dumps(entry) + "\n" for entry in documents)
        (folder / f"{name}.jsonl").write_text(lines)
    task = {
        "task": "made_up",
        "dataset_path": "json",
        "dataset_kwargs": {
            "data_files": {n: str(folder / f"{n}.jsonl") for n in ("shots", "items")}
        },
        "output_type": "multiple_choice",
        "test_split": "items",
        "fewshot_split": "shots",
        "fewshot_config": {"sampler": "first_n"},
        "doc_to_text": "{{question}}",
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "{{gold}}",
        "fewshot_delimiter": " . ",
        "metric_list": [{"metric": "acc"}],
    }
    (folder / "made_up.yaml").write_text(json.dumps(task))


def main() -> int:
    """Runs what was asked for; 0 if all answers agree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--rows", nargs="+", default=[row.name for row in ROWS] + ["evaluate"])
    arguments = parser.parse_args()
    if arguments.gpu and not torch.cuda.is_available():
        print("no CUDA device is at hand: nothing was measured")
        return 0
    torch.set_grad_enabled(False)
    good = True
    for shape in ("0.5B", "1.5B", "7B") if arguments.gpu else ("56M",):
        device, dtype = ("cuda", torch.bfloat16) if arguments.gpu else ("cpu", torch.float32)
        model = build(shape, device, dtype, 4096 if arguments.gpu else 512)
        sides, prefix = Sides(model), 1500 if arguments.gpu else 300
        count = sum(p.numel() for p in model.parameters()) / 1e6
        print(f"{shape}: {count:.1f} M parameters, {device}, {dtype}, prefix {prefix} tokens")
        for row in ROWS:
            if row.name in arguments.rows:
                good &= compare(row, sides, prefix)
        if "evaluate" in arguments.rows:
            good &= through_simple_evaluate(sides, prefix, 8)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
