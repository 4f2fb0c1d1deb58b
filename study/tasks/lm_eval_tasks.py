"""Finding tasks in lm-eval, and what its own rules would do to a study of them.

In: task names and folders with further task files. Out: each task's configuration without its data
(`Harness.entry`), the loaded task (`Harness.load`), and the rules of lm-eval 0.4.13 that would
silently falsify a cell (`demonstrates_itself`, `refuses_shots`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from study.errors import StudyError, nearest
from study.zoo import TASKS


@dataclass(frozen=True)
class TaskEntry:
    """A task as its file describes it; no data has been read."""

    name: str
    config: dict[str, Any]

    @property
    def evaluated_split(self) -> str | None:
        """The split whose items are scored."""
        return self.config.get("test_split") or self.config.get("validation_split")

    @property
    def demonstration_split(self) -> str | None:
        """The split that demonstrations are drawn from; None when the file lists them itself."""
        named = self._named_split()
        if named or self._lists_samples():
            return named
        keys = ("training_split", "validation_split", "test_split")
        return next((self.config[key] for key in keys if self.config.get(key)), None)

    @property
    def demonstrates_itself(self) -> bool:
        """Whether lm-eval would draw demonstrations from the items asked, the asked one included.

        It leaves the asked item out only where the file names the split for demonstrations and
        that is the test split (lm-eval issue 4145).
        """
        if self.config.get("output_type") == "loglikelihood_rolling" or self._lists_samples():
            return False
        split = self._named_split()
        if self.demonstration_split != self.evaluated_split:
            return False
        return split is None or split != self.config.get("test_split")

    @property
    def shares_split(self) -> bool:
        """Whether items and demonstrations come from one split, excluded one by one or not."""
        return self.demonstration_split is not None and (
            self.demonstration_split == self.evaluated_split
        )

    @property
    def refuses_shots(self) -> bool:
        """Whether the file fixes zero shots, so that lm-eval ignores any other number."""
        return self.config.get("num_fewshot") == 0

    @property
    def metrics(self) -> list[str]:
        """The metrics that the file lists; empty where lm-eval's defaults hold."""
        listed = self.config.get("metric_list") or []
        return [str(metric["metric"]) for metric in listed if isinstance(metric, dict)]

    def _named_split(self) -> str | None:
        fewshot = self.config.get("fewshot_config") or {}
        return fewshot.get("split") or self.config.get("fewshot_split")

    def _lists_samples(self) -> bool:
        fewshot = self.config.get("fewshot_config") or {}
        return self._named_split() is None and fewshot.get("samples") is not None


class Harness:
    """lm-eval's tasks, the zoo's, and those in the study's own folders."""

    def __init__(self, folders: tuple[Path, ...] = ()) -> None:
        self._folders = [str(folder) for folder in (TASKS, *folders)]

    @cached_property
    def _own(self) -> Any:
        """The tasks of the zoo and of the study's folders: read in milliseconds."""
        return _task_manager(self._folders, include_defaults=False)

    @cached_property
    def _all(self) -> Any:
        """These and lm-eval's own 13,000, whose files take it seconds to read."""
        return _task_manager(self._folders, include_defaults=True)

    def _manager(self, name: str) -> Any:
        return self._own if name in self._own.task_index else self._all

    def entry(self, name: str, where: Path) -> TaskEntry:
        """The task's configuration; StudyError, naming the file `where`, if there is none."""
        manager = self._manager(name)
        found = manager.task_index.get(name)
        if found is None:
            raise StudyError(
                where,
                "tasks",
                found=repr(name),
                expected="the name of an lm-eval task",
                do=nearest(name, manager.all_tasks),
            )
        if found.kind.name != "TASK":
            raise StudyError(
                where,
                "tasks",
                found=f"{name!r}, a {found.kind.name.lower().replace('_', ' ')}",
                expected="a single task written as YAML",
                do="List the tasks that it stands for",
            )
        return TaskEntry(name, found.cfg or {})

    def own_tasks(self) -> list[str]:
        """Names of the zoo's tasks and of those in the study's folders."""
        return [name for name, found in self._own.task_index.items() if found.kind.name == "TASK"]

    def load(self, name: str) -> Any:
        """The lm-eval task with its data; raises what the data set's library raises."""
        return self._manager(name).load([name])["tasks"][name]


def _task_manager(folders: list[str], *, include_defaults: bool) -> Any:
    """lm-eval's task manager, quieter, and with its prompt templates compiled once.

    lm-eval compiles a task's template anew for every document and every demonstration, which takes
    far longer than filling it in.
    """
    from lm_eval import utils
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    if not hasattr(utils.env.from_string, "cache_info"):
        utils.env.from_string = lru_cache(maxsize=4096)(utils.env.from_string)
    return TaskManager(include_path=list(folders), include_defaults=include_defaults)


def is_staged(entry: TaskEntry) -> bool:
    """Whether the task's data can be read without a network: local, or in the datasets cache."""
    import datasets

    path = entry.config.get("dataset_path")
    if entry.config.get("custom_dataset") is not None or path in ("json", "csv", "parquet"):
        return True
    if path is None or Path(path).exists():
        return path is not None
    return (Path(datasets.config.HF_DATASETS_CACHE) / str(path).replace("/", "___")).is_dir()
