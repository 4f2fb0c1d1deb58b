"""Generation by lm-eval's own path, in batches after each of which an interrupted call can resume.

In: lm-eval's requests, the progress of an interrupted call. Out: what `hf` would return. Its
responses are whole only when a batch ends, so batches are as large as the speed measured allows.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from study.inference.generation.arguments import is_sampled
from study.inference.generation.progress import GenerationProgress, request_ids
from study.inference.lm_eval_model.request_paths import LMRequest, RequestPathLM
from study.inference.memory import MAX_PLAIN_BATCH

MAX_BATCH_SECONDS = 30.0
"Time that a batch may take if its responses become as long as they may."


@dataclass
class PlainBatchSize:
    """The number of requests in a batch: one to begin with, then by the speed measured."""

    requests: int = 1
    limit: int = MAX_PLAIN_BATCH
    "How many memory holds."

    def update(self, seconds: float, steps: int, max_steps: int) -> None:
        """Adapt the size to a batch of this size that took `seconds` for `steps` of `max_steps`.

        Time is assumed to be proportional to the number of requests and to that of steps.
        """
        longest = seconds * max_steps / max(1, steps)
        if 2 * longest <= MAX_BATCH_SECONDS:
            self.requests = min(self.limit, 2 * self.requests)
        while longest > MAX_BATCH_SECONDS and self.requests > 1:
            self.requests, longest = self.requests // 2, longest / 2


class PlainGenerationLM(RequestPathLM):
    """lm-eval's `hf` model, whose generation can be resumed."""

    _progress: GenerationProgress | None = None
    _last_batch = (0.0, 0, 0)
    "Seconds, steps, and the largest possible number of steps."

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """The arguments of `RequestPathLM`."""
        super().__init__(*arguments, **options)
        self._plain_size = PlainBatchSize()

    @contextmanager
    def resuming(
        self,
        tokens: dict[str, list[int]],
        texts: dict[str, str],
        on_step: Callable[[], object] = lambda: None,
    ) -> Iterator[None]:
        """Within this context, `generate_until` begins with `tokens` and `texts` and extends them.

        Both are responses so far by request (`GenerationProgress`), empty for a new call. Finished
        ones are not generated again. `on_step` is called after every decoding step, and after every
        batch of lm-eval's own path. Sampled responses depend only on their request here: each is
        generated alone, from a seed of its own.
        """
        self._progress = GenerationProgress(tokens, texts, on_step)
        try:
            yield
        finally:
            self._progress = None

    def _generate_plain(self, requests: Sequence[LMRequest], disable_tqdm: bool) -> list[str]:
        """Responses to requests with the same generation arguments."""
        method = super().generate_until
        if self._progress is None:
            return self._run_plain(lambda: method(requests, disable_tqdm), self.max_length)
        texts = self._progress.texts
        ids = request_ids(request.args for request in requests)
        # The order of `hf`: the longest first, so that running out of memory happens early.
        lengths = [len(self.tok_encode(request.args[0])) for request in requests]
        remaining = [index for index in range(len(requests)) if ids[index] not in texts]
        remaining.sort(key=lambda index: (-lengths[index], requests[index].args[0]))
        is_sampling = is_sampled(requests[0].args[1])
        # Padding changes the state of a recurrent model, and how long an encoder-decoder may
        # generate: their batches have none.
        is_unpadded = getattr(self.model, "_is_stateful", False) or self.backend != "causal"
        with self._progress_bar(len(requests), "prompt", disable_tqdm) as bar:
            bar.update(len(requests) - len(remaining))
            while remaining:
                batch = remaining[: 1 if is_sampling else self._plain_size.requests]
                if is_unpadded:
                    batch = [index for index in batch if lengths[index] == lengths[batch[0]]]
                responses = self._generate_plain_batch(
                    [requests[index] for index in batch], [ids[index] for index in batch]
                )
                texts.update(zip([ids[index] for index in batch], responses, strict=True))
                self._progress.on_step()
                bar.update(len(batch))
                remaining = remaining[len(batch) :]
        return [texts[request_id] for request_id in ids]

    def _generate_plain_batch(self, requests: Sequence[LMRequest], ids: Sequence[str]) -> list[str]:
        method = super().generate_until
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            torch.manual_seed(int(hashlib.sha256(ids[0].encode()).hexdigest()[:15], 16))
            responses: list[str] = self._run_plain(lambda: method(requests, True), self.max_length)
        size = self._plain_size
        if self.batch_size_per_gpu < len(requests):
            size.limit = size.requests = self.batch_size_per_gpu
        elif len(requests) == size.requests:
            size.update(*self._last_batch)
        return responses

    def _model_generate(
        self, context: torch.Tensor, max_length: int, stop: list[str], **arguments: Any
    ) -> torch.Tensor:
        """`hf`'s own, and how long it took."""
        started = time.monotonic()
        tokens: torch.Tensor = super()._model_generate(context, max_length, stop, **arguments)
        begin = context.shape[1] if self.backend == "causal" else 1
        steps = tokens.shape[1] - begin
        self._last_batch = (time.monotonic() - started, steps, max_length - begin)
        return tokens
