"""One model's job: load the model once, evaluate its cells, and commit each when it is done.

Cells whose responses exist are scored first; if there are no others, no model is loaded.

In: a `Job`, a `Run`, a device. Out: cells in the store, and an event for each thing that happens.
This is the same for every executor; where jobs run is decided in `executors/`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from study.errors import StudyError
from study.extras import vllm_python
from study.hardware import device_kind
from study.models.folders.loader import FolderLoader
from study.models.token_store import TokenStore
from study.models.weights import ModelFacts, folder_facts, model_facts
from study.planning.cells.cell import Cell
from study.planning.cost.throughput import Timings
from study.planning.plan import Job
from study.results.identity import check_unchanged
from study.results.run import Run
from study.running.cells.forward_monitor import ForwardPassMonitor
from study.running.cells.run_cell import CellRunner, LoadedModel
from study.running.events import Event
from study.tasks.lm_eval.library import task_library
from study.tuning.identity import TunedModel

if TYPE_CHECKING:
    from study.inference import EncodingCache


class DeviceLostError(Exception):
    """The device no longer responds to this process; another process may still use it."""


class ModelRunner:
    """Runs jobs one after the other; tasks and prompts are cached between them."""

    def __init__(
        self,
        run: Run,
        device: str,
        *,
        on_pass: Callable[[], object] = lambda: None,
        on_tuning: Callable[[str, str], object] = lambda model, step: None,
        spread: bool = False,
        start_seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_pass` is called at every forward pass, `on_tuning` with a model and the current step
        of its training. `spread` distributes a model over all GPUs. `start_seconds` is how long it
        took to start the process, for the next plan. `clock` counts the seconds between commits of
        partial responses."""
        self.run, self.device, self.spread = run, device, spread
        self.start_seconds, self.on_tuning = start_seconds, on_tuning
        self._monitor = ForwardPassMonitor(on_pass)
        self._library = task_library(run.study)
        self._encodings: EncodingCache | None = None
        self._cells = CellRunner(run, self._library, device, self._monitor, clock)

    def run_job(self, job: Job, *, memory_share: float = 1.0) -> Iterator[Event]:
        """Evaluate the cells of a job, except those that another run has finished meanwhile.

        Failures are reported as events and do not stop the rest. DeviceLostError if the device no
        longer responds. `memory_share`: share of the usual tokens per forward pass.
        """
        try:
            yield from self._run_job(job, memory_share)
        except StudyError as error:  # what cannot be read or written now cannot be later
            yield Event("failed", job.model.name, reason=str(error))

    def _run_job(self, job: Job, memory_share: float) -> Iterator[Event]:
        name = job.model.name
        yield Event("loading", name)
        evaluated = [cell for cell in job.cells if not self._cells.needs_model(cell)]
        yield from self._attempt(name, evaluated, self._cells.score)
        remaining = [cell for cell in job.cells if cell not in evaluated]
        if job.tuned is not None and (remaining or not job.cells):
            try:
                self._tune(job.tuned, name)
            except Exception as error:  # data and architectures may raise anything
                if self._device_lost():
                    raise DeviceLostError from error
                yield Event("failed", name, reason=_reason(error))
                return
            yield Event("tuned", name)
        if not remaining:
            yield Event("finished", name)
            return
        timings = self._new_timings()
        try:
            model = self._load(job, memory_share, timings)
        except Exception as error:  # a model folder may make transformers raise anything
            yield Event("failed", name, reason=_reason(error))
            return
        yield Event("loaded", name)
        run_cell = partial(self._cells.run_cell, model, timings=timings)
        with closing(model.vllm) if model.vllm else nullcontext():
            yield from self._attempt(name, remaining, run_cell)
        del model, run_cell
        timings.finish()
        with suppress(StudyError):  # a full disk is reported by the cells
            timings.write(self.run.results, name)
        yield Event("finished", name)

    def _attempt(self, name: str, cells: list[Cell], run: Callable[[Cell], int]) -> Iterator[Event]:
        """Run cells of a model one after the other; a failure does not stop the rest, unless it is
        a StudyError."""
        for cell in cells:
            try:
                items = run(cell)
            except StudyError:
                raise
            except Exception as error:  # a task's own code may raise anything
                if self._device_lost():
                    raise DeviceLostError from error
                yield Event("failed", name, cell.describe(), _reason(error))
            else:
                yield Event("cell", name, cell.describe(), items=items)

    def _new_timings(self) -> Timings:
        import torch

        kind = device_kind(self.device, self.run.study.dtype, torch.get_num_threads())
        start, self.start_seconds = self.start_seconds, None
        return Timings(kind, start)

    def _device_lost(self) -> bool:
        """Whether every further call of the GPU fails in this process, as after some errors."""
        if self.device == "cpu":
            return False
        import torch

        try:
            torch.cuda.synchronize()
        except RuntimeError:
            return True
        return False

    def _tune(self, tuned: TunedModel, name: str) -> None:
        import torch

        from study.tuning.tune import tune

        tune(
            tuned,
            self.run,
            self._library,
            self.device,
            spread=self.spread,
            report=lambda step: self.on_tuning(name, step),
        )
        if self.device != "cpu":
            torch.cuda.empty_cache()

    def _facts(self, job: Job) -> tuple[ModelFacts, str | None]:
        """Facts about the model's folder, and its revision; ChangedError if it is not what was
        planned."""
        study = self.run.study
        trust = study.trust_remote_code
        if job.tuned is not None:
            folder = job.tuned.folder
            facts = folder_facts(folder, allow_pickled_weights=False, trust_remote_code=trust)
            return facts, None
        locked = self.run.lock.models.get(job.model.name)
        facts = model_facts(
            job.model,
            allow_pickled_weights=study.allow_pickled_weights,
            trust_remote_code=trust,
            locked=locked,
        )
        for cell in job.cells:
            assert cell.identity is not None
            planned = cell.identity["responses"]["model"]
            check_unchanged("the weights", facts.weights, planned["weights"])
            check_unchanged("the tokenizer", facts.tokenizer, planned["tokenizer"])
            check_unchanged("generation_config.json", facts.generation, planned["generation"])
        return facts, locked.revision if locked else job.model.revision

    def _load(self, job: Job, memory_share: float, timings: Timings) -> LoadedModel:
        from study.inference import EncodingCache, SharedPrefixLM
        from study.inference.generation.vllm.generation import VllmGeneration

        if self._encodings is None:
            self._encodings = EncodingCache(TokenStore(self.run.cache / "tokens"))
        started = time.perf_counter()
        self.run.reload()
        facts, revision = self._facts(job)
        lock = self.run.lock_digest
        study = self.run.study
        lm: Any = SharedPrefixLM(
            memory_share=memory_share,
            encodings=self._encodings,
            parallelize=self.spread,
            pretrained=str(facts.folder),
            device=self.device,
            dtype=study.dtype,
            loader=FolderLoader(facts, allow_pickled_weights=study.allow_pickled_weights),
        )
        self._monitor.attach(lm.model)
        timings.load_bytes = facts.weight_bytes
        timings.load_seconds = time.perf_counter() - started
        vllm = VllmGeneration(lm, str(facts.folder), vllm_python())
        return LoadedModel(lm, job.params_b, revision, facts.weights, lock, vllm)


def _reason(error: Exception) -> str:
    if isinstance(error, StudyError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
