"""Which path requests take: packed, or plain by lm-eval's `hf` model itself.

In: a loaded model, which is probed once. Out: the reason why requests take the plain path;
`PathCounts`, whose summary is stored with results; results of `hf`'s own methods, in batches that
memory holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from tqdm import tqdm

from study.inference.engine import Engine
from study.inference.lm_eval_model.encoding.model import CachedEncodingLM
from study.inference.loglikelihood.forking.engine import ForkingEngine
from study.inference.memory import is_out_of_memory, plain_batch_size, release_memory
from study.inference.probe.model_probe import ProbeResult, probe_model

ENCODER_DECODER = "encoder-decoder"
TOO_LONG = "longer than the model's rotary embeddings allow to pack"


class LMRequest(Protocol):
    """An lm-eval request (`lm_eval.api.instance.Instance`), as far as models use it."""

    @property
    def args(self) -> tuple[Any, ...]:
        """(context, continuation), (text,) or (context, generation arguments)."""


@dataclass
class PathCounts:
    """Number of requests by path."""

    packed: int = 0
    forked: int = 0
    plain: Counter[str] = field(default_factory=Counter)
    "By reason."
    generator: str = ""
    "What generated in the engine's place; empty for the engine itself."

    def summary(self) -> dict[str, Any]:
        """The counts as JSON."""
        counts = {"packed": self.packed, "forked": self.forked, "plain": self.plain.total()}
        taken = [path for path, number in counts.items() if number] or ["plain"]
        return {
            "path": taken[0] if len(taken) == 1 else "mixed",
            "packed_requests": self.packed,
            "forked_requests": self.forked,
            "plain_requests": dict(self.plain),
            **({"generator": self.generator} if self.generator else {}),
        }


class RequestPathLM(CachedEncodingLM):
    """lm-eval's `hf` model, with a choice between the packed and the plain path."""

    def __init__(self, *arguments: Any, memory_share: float = 1.0, **options: Any) -> None:
        """Takes the arguments of `hf`.

        `memory_share` scales down the first budget, for a retry after running out of memory.
        """
        super().__init__(*arguments, **options)
        self._memory_share = memory_share
        self._counts = PathCounts()
        self._plain_path_reason = ""
        self.probe: ProbeResult | None = None
        "Whether the model can be packed; None for encoder-decoder models, which are not probed."
        if self.backend == "causal":
            self.probe = probe_model(self.model, self.max_length)
        for engine in (self._engine, self._forking_engine):
            if engine is not None:
                engine.budget = engine.budget.scaled(memory_share)

    def report(self) -> dict[str, Any]:
        """Which path the requests since the last report took, and the result of the probe."""
        counts, self._counts = self._counts, PathCounts()
        return {
            **counts.summary(),
            "probe_error": self.probe.error if self.probe else None,
            "probe_tolerance": self.probe.tolerance if self.probe else None,
        }

    @contextmanager
    def plain_path(self, reason: str) -> Iterator[None]:
        """Within this context, lm-eval's own path computes every request.

        Use it where packed forward passes would give other numbers, for example while forward hooks
        change the activations of single tokens. `report` counts the requests under `reason`, which
        must not be empty. In nested contexts the innermost reason counts.
        """
        if not reason:
            raise ValueError("plain_path needs a reason, under which requests are counted")
        outer, self._plain_path_reason = self._plain_path_reason, reason
        try:
            yield
        finally:
            self._plain_path_reason = outer

    @property
    def _engine(self) -> Engine | None:
        return self.probe.engine if self.probe else None

    @property
    def _forking_engine(self) -> ForkingEngine | None:
        """The engine for log-likelihoods of models that are not packed; None on the plain path."""
        return self.probe.forking if self.probe and not self._plain_path_reason else None

    def _reason_for_plain_path(self) -> str:
        """Why no request can be packed; empty if some can. Some may be forked nevertheless."""
        if self._plain_path_reason:
            return self._plain_path_reason
        return self.probe.reason if self.probe else ENCODER_DECODER

    def _run_plain(self, call: Callable[[], list[Any]], max_length: int) -> list[Any]:
        """Call a method of `hf`, with a batch size for sequences of `max_length` tokens.

        The batch size is halved whenever memory is exhausted.
        """
        self.batch_size_per_gpu = plain_batch_size(
            self.device,
            min(max_length, self.max_length),
            self.config.get_text_config().vocab_size,
            self._memory_share,
        )
        while True:
            try:
                return call()
            except RuntimeError as error:
                if self.batch_size_per_gpu == 1 or not is_out_of_memory(error):
                    raise
                self.batch_size_per_gpu //= 2
                release_memory(error)

    def _progress_bar(self, total: int, unit: str, disabled: bool) -> Any:
        return tqdm(
            total=total, desc="shared-prefix", unit=unit, disable=disabled or self.rank != 0
        )
