"""One job run: a model loaded once, all its cells asked, each committed as it is done.

In: a `Job`, the study and its folder, a device. Out: files in the store, and one event after the
other for whoever shows or counts them. This is what every place where jobs run has in common; the
places themselves are in `executors/`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from study.config.study import Study
from study.errors import StudyError
from study.hardware import device_kind
from study.models.weights import ModelFacts, folder_facts, model_facts
from study.planning.cells import Cell, drawn_for, evaluated
from study.planning.cost.throughput import Timings
from study.planning.plan import Job
from study.planning.resolve_study import harness_of
from study.results.cell_store.store import Cells
from study.results.identity import canonical, check_unchanged
from study.results.lock import lock_digest, read_lock
from study.results.provenance import hardware, source, versions
from study.running.cells.forward_hooks import Passes
from study.running.cells.prompts import AuditError, PromptMemory, Prompts, render
from study.running.cells.responses import answer
from study.running.cells.task_cache import AskedTasks
from study.running.events import Event
from study.tasks.demonstrations import Demonstrations
from study.tasks.lm_eval_tasks import Harness
from study.tasks.truncation import chat_template
from study.tuning.identity import TunedModel


class DeviceLostError(Exception):
    """The device answers no call of this process any more; another process may still use it."""


def describe(cell: Cell) -> str:
    """A cell in words, for messages."""
    draw = "" if cell.draw is None else f" draw {cell.draw}"
    return f"{cell.arm.name} {cell.task.task}{draw}"


class Runner:
    """Runs jobs one after the other, remembering tasks and prompts between them."""

    def __init__(
        self,
        study: Study,
        run: Path,
        device: str,
        *,
        on_pass: Callable[[], object] = lambda: None,
        on_tuning: Callable[[str, str], object] = lambda model, what: None,
        spread: bool = False,
        start_seconds: float | None = None,
    ) -> None:
        """`on_pass` is called at every forward pass, `on_tuning` with what a training does;
        `spread` lays a model over all GPUs; `start_seconds` is how long it took until there was a
        runner, for the next plan."""
        self.study, self.run, self.device = study, run, device
        self.start_seconds = start_seconds
        self.spread = spread
        self.on_tuning = on_tuning
        self.cells = Cells(run)
        self._passes = Passes(on_pass)
        self._timings = Timings("")
        self._revision: str | None = None
        self._lock: str | None = None
        self._weights = ""
        self._harness: Harness = harness_of(study, run)
        self._tasks = AskedTasks(study, run, self._harness, self.cells)
        self._prompts = PromptMemory()

    def job(self, job: Job, *, memory_share: float = 1.0) -> Iterator[Event]:
        """Computes the cells of a job, but those that another run has finished meanwhile; what
        fails is told and does not stop the rest. DeviceLostError where nothing can go on."""
        name = job.model.name
        yield Event("loading", name)
        if job.tuned is not None:
            try:
                self._tune(job.tuned, name)
            except Exception as error:  # data and architectures may raise anything
                if self._lost():
                    raise DeviceLostError from error
                yield Event("failed", name, reason=_reason(error))
                return
            yield Event("tuned", name)
        if not job.cells:
            yield Event("finished", name)
            return
        timings = self._timings = self._new_timings()
        try:
            lm = self._load(job, memory_share)
        except Exception as error:  # whatever a model folder may make transformers raise
            yield Event("failed", name, reason=_reason(error))
            return
        yield Event("loaded", name)
        for cell in job.cells:
            try:
                here = self.cells.has(str(cell.key))
                items = 0 if here else self._cell(lm, cell, job.params_b)
            except StudyError as error:  # what cannot be written now cannot be written later
                yield Event("failed", name, reason=str(error))
                return
            except Exception as error:  # a task's own code may raise anything
                if self._lost():
                    raise DeviceLostError from error
                yield Event("failed", name, describe(cell), _reason(error))
            else:
                yield Event("cell", name, describe(cell), items=items)
        del lm
        timings.over()
        with suppress(StudyError):  # what full disks mean is told by cells
            timings.write(self.run, name)
        yield Event("finished", name)

    def _new_timings(self) -> Timings:
        import torch

        kind = device_kind(self.device, self.study.dtype, torch.get_num_threads())
        start, self.start_seconds = self.start_seconds, None
        return Timings(kind, start)

    def _lost(self) -> bool:
        """After some errors every further call of a GPU fails, in this process."""
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

        tune(tuned, self.study, self.run, self._harness, self.device, spread=self.spread,
             tell=lambda what: self.on_tuning(name, what))  # fmt: skip
        if self.device != "cpu":
            torch.cuda.empty_cache()

    def _facts(self, job: Job) -> ModelFacts:
        """What is in the model's folder; ChangedError if it is not what was planned."""
        if job.tuned is not None:
            return folder_facts(job.tuned.folder, allow_pickled_weights=False)
        locked = read_lock(self.run).models.get(job.model.name)
        facts = model_facts(
            job.model, allow_pickled_weights=self.study.allow_pickled_weights, locked=locked
        )
        self._revision = locked.revision if locked else job.model.revision
        for cell in job.cells:
            assert cell.identity is not None
            planned = cell.identity["model"]
            check_unchanged("the weights", facts.weights, planned["weights"])
            check_unchanged("the tokenizer", facts.tokenizer, planned["tokenizer"])
        return facts

    def _load(self, job: Job, memory_share: float) -> Any:
        from study.inference import SharedPrefixLM

        started = time.perf_counter()
        facts = self._facts(job)
        self._weights = facts.weights
        self._lock = lock_digest(self.run)
        lm = SharedPrefixLM(
            memory_share=memory_share,
            parallelize=self.spread,
            pretrained=str(facts.folder),
            device=self.device,
            dtype=self.study.dtype,
            trust_remote_code=self.study.trust_remote_code,
            use_safetensors=None if self.study.allow_pickled_weights else True,
        )
        self._passes.watch(lm.model)
        self._timings.load_bytes = facts.weight_bytes
        self._timings.load_seconds = time.perf_counter() - started
        return lm

    def _cell(self, lm: Any, cell: Cell, params_b: float) -> int:
        started = time.perf_counter()
        task, items = self._tasks.asked(cell)
        assert cell.key is not None
        assert cell.identity is not None
        check_unchanged("the task's items", items.digest, cell.identity["task"]["items"])
        documents = evaluated(items, self.study.limit)
        pool = self._tasks.task(cell.demonstrator)[1] if cell.demonstrator else items
        drawn = drawn_for(pool, cell.arm, seed=self.study.seed, draw=cell.draw)
        prompts = self._prompts_of(lm, task, documents, drawn, cell)
        asked = time.perf_counter()
        self._passes.begin()
        results, rows = answer(lm, task, documents, prompts, cell)
        if self._passes.made_nan():
            raise AuditError("the model computes NaN")
        template = lm.tokenizer.chat_template if cell.arm.template else None
        record = {
            "key": cell.key,
            "identity": cell.identity,
            "model": cell.model.name,
            "revision": self._revision,
            "weights": self._weights,
            "lock": self._lock,
            "arm": cell.arm.name,
            "task": cell.task.task,
            "draw": cell.draw,
            "metric": cell.task.metric,
            **results,
            "scoring": lm.report(),
            "demonstrations": [document.place for document in drawn.documents],
            "demonstration_pool": {"size": len(pool.pool), "parted": pool.separated,
                                   "removed_as_items": pool.removed},
            "demonstrator": cell.demonstrator,
            "written": self._tasks.check_written(cell, documents, rows),
            "provenance": {
                "versions": versions(),
                "source": source(),
                "hardware": hardware(self.device),
                "seed": self.study.seed,
                "chat_template": _sha256(str(template)) if template else None,
                "seconds": time.perf_counter() - started,
            },
        }  # fmt: skip
        self.cells.write(cell.key, record, rows)
        self._timings.render_seconds += asked - started
        self._timings.add(
            cell.arm.name,
            time.perf_counter() - asked,
            requests=sum(map(len, prompts.requests)),
            prompt_tokens=results["tokens"],
            flops=2e9 * params_b * self._passes.tokens,
        )
        return len(rows)

    def _prompts_of(
        self, lm: Any, task: Any, documents: Any, drawn: Demonstrations, cell: Cell
    ) -> Prompts:
        template = chat_template(lm.tokenizer) if cell.arm.template else None
        asked = _sha256(str(lm.tokenizer.chat_template)) if template else None
        assert cell.identity is not None
        at = (cell.task.task, drawn.digest, cell.kept, canonical(cell.identity["arm"]), asked)
        prompts, made = self._prompts.get(
            at, lambda: render(task, documents, drawn, cell, template)
        )
        self._timings.rendered += made
        return prompts


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
