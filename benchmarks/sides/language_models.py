"""One model on several sides: as `shared-prefix`, as lm-eval's `hf`, and with prefix reuse.

In: a loaded model. Out: lm-eval models over it, their results with times, and how far these differ.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lm_eval.models.huggingface import HFLM
from workloads.requests import word_tokenizer

from sides.prefix_reuse import PrefixReuseLM
from study.inference import SharedPrefixLM

TOLERANCE = 1e-4
"Largest difference per token's log-probability in float32."


@dataclass(frozen=True)
class TimedRun:
    """Requests answered by one side."""

    seconds: float
    results: list[Any]
    peak: float
    "Peak memory in GiB; 0 on a CPU."

    def memory(self) -> str:
        """The peak memory for print; empty on a CPU."""
        return f", {self.peak:.1f} GiB" if self.peak else ""


class SeveralSides:
    """All sides over one model."""

    def __init__(self, model: Any) -> None:
        self.model, self.tokenizer = model, word_tokenizer(model.config.vocab_size)
        self.device = model.device

    def shared_prefix(self) -> SharedPrefixLM:
        """A new `shared-prefix` model, which has encoded nothing yet."""
        return SharedPrefixLM(pretrained=self.model, tokenizer=self.tokenizer)

    def hf(self, batch_size: int | str) -> HFLM:
        """lm-eval's own model."""
        # On a CPU, lm-eval's search for a batch size would start beyond the memory.
        limit = 64 if self.device.type == "cuda" else 16
        return HFLM(
            pretrained=self.model,
            tokenizer=self.tokenizer,
            batch_size=batch_size,
            max_batch_size=limit,
        )

    def prefix_reuse(self, batch_size: int) -> HFLM:
        """Plain transformers with the key/value cache of prefixes."""
        return PrefixReuseLM(pretrained=self.model, tokenizer=self.tokenizer, batch_size=batch_size)

    def timed(self, lm: Any, kind: str, requests: list[Any]) -> TimedRun:
        """The requests, answered once."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
            torch.cuda.synchronize()
        start = time.perf_counter()
        with silent():
            results = getattr(lm, kind)(requests, disable_tqdm=True)
        seconds = time.perf_counter() - start
        peak = torch.cuda.max_memory_allocated() / 2**30 if self.device.type == "cuda" else 0.0
        return TimedRun(seconds, results, peak)

    def at_best_batch_size(
        self,
        side: Callable[[Any], Any],
        kind: str,
        requests: list[Any],
        sizes: Sequence[int | str],
    ) -> tuple[int | str, TimedRun]:
        """The fastest batch size of a side on a tenth of the requests, and all of them at it."""
        some = requests[: max(1, len(requests) // 10)]
        with silent():
            times = {size: self.timed(side(size), kind, some).seconds for size in sizes}
            best = min(times, key=lambda size: times[size])
            return best, self.timed(side(best), kind, requests)

    def agreement(
        self, lm: Any, kind: str, requests: list[Any], ours: list[Any], theirs: list[Any]
    ) -> tuple[bool, str]:
        """Whether the results of both sides agree, and a description of their differences.

        `lm` is a model of either side, which encodes texts.
        """
        exact = self.model.dtype == torch.float32
        if kind == "generate_until":
            equal = sum(a == b for a, b in zip(ours, theirs, strict=True))
            return equal == len(ours) or not exact, f"{equal} of {len(ours)} texts equal"
        if kind == "loglikelihood_rolling":
            lengths = [len(lm.tok_encode(request.args[0])) for request in requests]
            difference = _max_difference(ours, theirs, lengths)
            return difference <= TOLERANCE or not exact, f"difference {difference:.1e}"
        lengths = [len(lm._encode_pair(*request.args)[1]) for request in requests]
        difference = _max_difference([a for a, _ in ours], [b for b, _ in theirs], lengths)
        flips = _flips(ours, theirs)
        text = f"difference {difference:.1e}, {flips} of {len(ours)} greedy flags differ"
        if exact:
            return difference <= TOLERANCE and flips == 0, text
        return self._half_precision_agreement(requests, ours, theirs, text)

    def _half_precision_agreement(
        self, requests: list[Any], ours: list[Any], theirs: list[Any], text: str
    ) -> tuple[bool, str]:
        """Whether our results are no further from those of float32 than theirs."""
        dtype = self.model.dtype
        some = slice(0, max(1, len(requests) // 5))
        self.model.float()
        exact = self.timed(self.hf(4), "loglikelihood", requests[some]).results
        self.model.to(dtype)

        def error(results: list[Any]) -> float:
            squares = [(a[0] - t[0]) ** 2 for a, t in zip(results[some], exact, strict=True)]
            return float(np.sqrt(np.mean(squares)))

        our_error, their_error = error(ours), error(theirs)
        text += f"; error against float32 {our_error:.3f} (hf {their_error:.3f}), flags that differ"
        text += f" from float32's {_flips(ours[some], exact)} (hf {_flips(theirs[some], exact)})"
        return our_error <= their_error, text


def _max_difference(ours: list[float], theirs: list[float], lengths: list[int]) -> float:
    """Largest difference of log-probabilities per token."""
    return max(abs(a - b) / n for a, b, n in zip(ours, theirs, lengths, strict=True))


def _flips(ours: list[Any], theirs: list[Any]) -> int:
    return sum(a[1] != b[1] for a, b in zip(ours, theirs, strict=True))


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Discard what lm-eval prints while it searches for a batch size."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
