"""Generation by vLLM in the place of our own engine, within a context.

In: a loaded lm-eval model and its folder. Out: a context within which vLLM generates, and what the
comparison with our own engine showed. The first responses in a context are compared before the
others are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from study.inference.generation.response_end import ResponseEnd
from study.inference.generation.vllm.parity import PROMPTS, ParityError, check_parity
from study.inference.generation.vllm.process import VllmProcess
from study.inference.generation.vllm.search import search_by_vllm


class VllmGeneration:
    """A model's process with vLLM; it starts when it is first needed."""

    def __init__(self, lm: Any, folder: str, python: str) -> None:
        """`lm`: the same model, loaded by us; `python`: that of vLLM's environment."""
        self._lm, self._folder, self._python = lm, folder, python
        self._process: VllmProcess | None = None
        self._parity: dict[str, float] = {}

    @contextmanager
    def generating(self) -> Iterator[dict[str, Any]]:
        """Within this context, vLLM generates. Gives what a record says about it, which is complete
        when the context ends."""
        self._parity = {}
        record: dict[str, Any] = {}
        with self._lm.generating_by("vllm", self._search):
            yield record
        record["vllm_parity"] = self._parity

    def close(self) -> None:
        """End the process, if it has been started."""
        if self._process is not None:
            self._process.close()

    def _search(
        self,
        prompts: Sequence[list[int]],
        generated: Sequence[list[int]],
        end: ResponseEnd,
        on_step: Callable[[], object],
        on_finished: Callable[[int], object],
    ) -> None:
        """Greedy search; ParityError if vLLM's choices are not ours."""
        engine = self._lm.probe.engine
        penalty = self._lm.model.generation_config.repetition_penalty
        if penalty not in (None, 1.0):
            raise ParityError(
                f"the model's generation_config.json sets repetition_penalty {penalty}, with which "
                "vLLM is not compared. Use engine: shared-prefix for it"
            )
        if self._process is None:
            dtype = str(engine.dtype).removeprefix("torch.")
            self._process = VllmProcess(
                self._python, self._folder, dtype, self._lm.max_length, engine.device
            )
        for part in (slice(PROMPTS), slice(PROMPTS, None)):
            if prompts[part]:
                search_by_vllm(
                    self._process, prompts[part], generated[part], end, on_step, on_finished
                )
            if not self._parity:
                parity = check_parity(engine, prompts[part], generated[part])
                self._parity = parity.summary()
