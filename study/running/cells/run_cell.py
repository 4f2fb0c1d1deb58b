"""One cell: its prompts rendered, the model queried, responses committed, then scored.

In: a loaded model, a cell, the run's tasks and caches. Out: the cell in the stores of responses and
of scores. Responses are expensive, so they are committed first: what goes wrong in a metric loses
nothing.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from study.extras import vllm_python, vllm_version
from study.hardware import computing_device
from study.models.chat_templates.rendering import chat_template
from study.models.interventions import intervention
from study.planning.cells.cell import Cell
from study.planning.cells.identity import VLLM
from study.planning.cost.throughput import Timings
from study.results.cell_store.partial_responses import PartialResponseStore
from study.results.identity import canonical, check_unchanged
from study.results.provenance import source, versions
from study.results.run import Run
from study.running.cells.forward_monitor import ForwardPassMonitor
from study.running.cells.partial_commits import PartialCommits
from study.running.cells.prompts import AuditError, PromptCache, Prompts, render_prompts
from study.running.cells.responses import collect_responses
from study.running.cells.score_cell import score_cell
from study.running.cells.task_cache import TaskCache
from study.tasks.demonstrations import Demonstrations, draw_demonstrations
from study.tasks.items import Document, TaskItems
from study.tasks.lm_eval.library import TaskLibrary
from study.tasks.lm_eval.types import LmEvalModel, LmEvalTask

if TYPE_CHECKING:
    from study.inference.generation.vllm.generation import VllmGeneration


@dataclass(frozen=True)
class LoadedModel:
    """A model on a device, and what its cells' records say about it."""

    lm: LmEvalModel
    params_b: float
    revision: str | None
    weights: str
    "Digest of the weights."
    lock: str | None
    "Digest of the lock by which the model was loaded."
    vllm: VllmGeneration | None = None
    "Its process with vLLM, for the cells that ask for it; None if there can be none."


class CellRunner:
    """Evaluates cells one after the other; tasks and prompts are cached between them."""

    def __init__(
        self,
        run: Run,
        library: TaskLibrary,
        device: str,
        monitor: ForwardPassMonitor,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` counts the seconds between commits of partial responses."""
        self.run, self.device, self.monitor, self._clock = run, device, monitor, clock
        self._tasks = TaskCache(run, library)
        self._prompts = PromptCache()
        self._partial = PartialResponseStore(run.results)
        self._partial.sweep(run.responses.has)

    def needs_model(self, cell: Cell) -> bool:
        """Whether there are neither scores nor responses of a cell yet."""
        return not self.run.cells.has(str(cell.key)) and not self.run.responses.has(
            str(cell.responses)
        )

    def score(self, cell: Cell) -> int:
        """Score a cell whose responses exist; returns the number of its items, 0 if it is done."""
        if self.run.cells.has(str(cell.key)):
            return 0
        return score_cell(self.run, self._tasks, cell)

    def run_cell(self, model: LoadedModel, cell: Cell, timings: Timings) -> int:
        """Evaluate a cell, unless its responses exist by now, and score it; returns the number of
        its items."""
        if self.needs_model(cell):
            self._evaluate(model, cell, timings)
        return self.score(cell)

    def _evaluate(self, model: LoadedModel, cell: Cell, timings: Timings) -> None:
        """Commit the responses of a cell."""
        started = time.perf_counter()
        study, lm = self.run.study, model.lm
        task, items = self._tasks.prompted(cell)
        assert cell.responses is not None
        assert cell.identity is not None
        planned = cell.identity["responses"]["prompts"]["task"]
        check_unchanged("the task's items", items.digest, planned["items"])
        check_unchanged("the task's documents", items.documents, planned["documents"])
        check_unchanged(
            "the task's configuration", items.prompt_configuration, planned["configuration"]
        )
        documents = items.evaluated(study.limit)
        pool = self._tasks.task(cell.demonstrator)[1] if cell.demonstrator else items
        demonstrations = draw_demonstrations(
            pool, seed=study.seed, draw=cell.draw, shots=cell.arm.shots
        )
        prompts, n_rendered = self._cached_prompts(lm, task, documents, demonstrations, cell)
        rendered = time.perf_counter()
        self.monitor.reset()
        place = {"versions": versions(), "hardware": computing_device(self.device)}
        commits = PartialCommits(self._partial, cell.responses, place, self.monitor, self._clock)
        with (
            _interventions(lm, cell),
            _generator(model, cell) as by_vllm,
            commits.resume(lm),
        ):
            results, rows = collect_responses(lm, task, documents, prompts, cell)
        if self.monitor.computed_nan():
            raise AuditError("the model computes NaN")
        record = {
            **self._description(model, cell),
            **results,
            "scoring": lm.report(),
            **by_vllm,
            "resumed": commits.resumed,
            **_demonstration_record(cell, demonstrations, pool),
            "provenance": self._provenance(lm, cell, time.perf_counter() - started),
        }
        self.run.responses.write(cell.responses, record, rows)
        commits.remove()
        timings.rendered += n_rendered
        timings.render_seconds += rendered - started
        if commits.resumed:  # the time taken is not that of all requests
            return
        timings.add(
            cell.arm.name,
            time.perf_counter() - rendered,
            requests=sum(map(len, prompts.requests)),
            prompt_tokens=results["tokens"],
            flops=2e9 * model.params_b * self.monitor.tokens,
        )

    def _description(self, model: LoadedModel, cell: Cell) -> dict[str, Any]:
        """Which responses a record is of."""
        assert cell.identity is not None
        return {
            "key": cell.responses,
            "identity": cell.identity["responses"],
            "model": cell.model.name,
            "revision": model.revision,
            "weights": model.weights,
            "lock": model.lock,
            "arm": cell.arm.name,
            "task": cell.task.task,
            "draw": cell.draw,
        }

    def _provenance(self, lm: LmEvalModel, cell: Cell, seconds: float) -> dict[str, Any]:
        template = lm.tokenizer.chat_template if cell.arm.template else None
        return {
            "versions": versions(),
            "source": source(),
            "hardware": computing_device(self.device),
            "seed": self.run.study.seed,
            "chat_template": _sha256(str(template)) if template else None,
            "seconds": seconds,
        }

    def _cached_prompts(
        self,
        lm: LmEvalModel,
        task: LmEvalTask,
        documents: tuple[Document, ...],
        demonstrations: Demonstrations,
        cell: Cell,
    ) -> tuple[Prompts, int]:
        """The prompts, and how many requests had to be rendered for them."""
        template = chat_template(cell.rendering) if cell.rendering else None
        assert cell.identity is not None
        return self._prompts.get(
            canonical(cell.identity["responses"]["prompts"]),
            lambda: render_prompts(task, documents, demonstrations, cell, template),
        )


def _generator(model: LoadedModel, cell: Cell) -> AbstractContextManager[dict[str, Any]]:
    """The context in which the cell's engine generates; gives what its record says about that."""
    assert cell.identity is not None
    engine = cell.identity["responses"]["model"]["engine"]
    if not engine.startswith(VLLM):
        return nullcontext({})
    check_unchanged("the engine", f"{VLLM} {vllm_version(vllm_python())}", engine)
    assert model.vllm is not None
    return model.vllm.generating()


@contextmanager
def _interventions(lm: LmEvalModel, cell: Cell) -> Iterator[None]:
    """Apply the arm's interventions, outside the packed engine if one of them does not allow it."""
    with ExitStack() as stack:
        for name in cell.arm.interventions:
            applied = intervention(name)
            if not applied.allows_packing:
                stack.enter_context(lm.plain_path(f"the intervention {name}"))
            stack.enter_context(applied.applied(lm.model))
        yield


def _demonstration_record(
    cell: Cell, demonstrations: Demonstrations, pool: TaskItems
) -> dict[str, Any]:
    return {
        "demonstrations": [document.index for document in demonstrations.documents],
        "demonstration_pool": {
            "size": len(pool.pool),
            "parted": pool.reserved,
            "removed_as_items": pool.removed,
        },
        "demonstrator": cell.demonstrator,
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
