"""A study with everything that it names looked up.

In and out: `ResolvedStudy`, which `resolve_study.py` fills and planning reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from study.config.study import Study
from study.config.tasks import Exposure, ListedTask
from study.errors import StudyError
from study.models.chat_templates.rendering import Rendering
from study.models.pairs import ModelRef, Pair
from study.models.weights import ModelFacts
from study.results.lock import FILE_NAME as LOCK_NAME
from study.results.run import Run
from study.scorers import Scorer
from study.tasks.items import TaskItems
from study.tasks.lm_eval.entry import TaskEntry
from study.tasks.lm_eval.identity import prompt_configuration
from study.tasks.lm_eval.library import TaskLibrary
from study.tasks.lm_eval.types import LmEvalTask
from study.tuning.identity import TunedModel


class LoadedTasks(dict[str, LmEvalTask]):
    """The tasks of a study by name, each loaded when it is first needed.

    For most plans none is: their items are cached, and so is what is derived from their prompts.
    """

    def __init__(self, library: TaskLibrary, items: Mapping[str, TaskItems | str]) -> None:
        super().__init__()
        self._library, self._items = library, items

    def __missing__(self, name: str) -> LmEvalTask:
        task, items = self._library.load(name), self._items[name]
        if isinstance(items, str) or prompt_configuration(task) != items.prompt_configuration:
            raise StudyError(
                f"task {name}",
                found="files that changed while the study was planned",
                expected="files that stay as they are",
                do="Run the same command again",
            )
        self[name] = task
        return task


@dataclass
class ResolvedStudy:
    """A study with everything that it names looked up."""

    run: Run
    pairs: tuple[Pair, ...]
    tasks: tuple[ListedTask, ...]
    scorer: Scorer | None
    "None where each task's own metric scores."
    entries: dict[str, TaskEntry] = field(default_factory=dict)
    "By task, its configuration in lm-eval."
    models: dict[ModelRef, ModelFacts | str] = field(default_factory=dict)
    "By model, its facts, or why it cannot be used."
    items: dict[str, TaskItems | str] = field(default_factory=dict)
    "By task, its items, or why they cannot be read."
    tuned: dict[ModelRef, TunedModel] = field(default_factory=dict)
    "Models that the study trains."
    renderings: dict[tuple[str, str], Rendering | str] = field(default_factory=dict)
    "By pair and arm with a chat template, what it is rendered from, or why it cannot be."
    exposures: dict[str, dict[str, Exposure]] = field(default_factory=dict)
    "By name of a recipe's mixture and task, what the mixture shows of the task."
    vllm: str | None = None
    "The version of vLLM, where an arm generates by it."
    loaded: dict[str, LmEvalTask] = field(default_factory=dict)
    "By task, the lm-eval task itself; only for tasks whose items could be read."

    @property
    def study(self) -> Study:
        """The study."""
        return self.run.study


def differs_from_lock(where: str | Path, what: str, run: Run) -> str:
    """Why something cannot be used that is not what was staged."""
    return (
        f"{where}: found {what} other than when the study was staged; expected what {LOCK_NAME} "
        f"names. Restore it, or lock what is there now with `study stage {run.folder}`; its "
        "finished cells are then recomputed"
    )
