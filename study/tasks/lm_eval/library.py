"""Finding and loading the tasks of lm-eval, of the zoo and of a study's folders.

In: task names and folders with further task files. Out: a task's configuration without its data
(`TaskLibrary.entry`), the loaded task (`TaskLibrary.load`), its items (`TaskLibrary.load_items`),
or its items as they were when the same files were last loaded (`TaskLibrary.known_items`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any

from study.config.study import Study
from study.errors import StudyError, nearest, printable
from study.fact_cache import cached_fact
from study.tasks.demonstrations import Demonstrations, fixed_sampler
from study.tasks.items import TaskItems, task_items
from study.tasks.lm_eval.entry import TaskEntry
from study.tasks.lm_eval.index import installed_entry, task_manager
from study.tasks.lm_eval.item_cache import TaskSources, items_as_json, items_from_json
from study.tasks.lm_eval.task_files import TaskFiles, read_task_files
from study.tasks.lm_eval.types import LmEvalTask

MAX_REASON = 500
"Characters of what lm-eval or a task's own code says about a fault."


class TaskLibrary:
    """lm-eval's tasks, the zoo's, and those in a study's own folders."""

    def __init__(self, folders: tuple[Path, ...] = ()) -> None:
        self._folders = folders

    @cached_property
    def _sources(self) -> TaskSources:
        """What entries and items are derived from, as it is now."""
        return TaskSources(self._folders)

    @cached_property
    def _files(self) -> TaskFiles:
        """The task files of the study's folders."""
        return read_task_files(self._folders)

    @cached_property
    def _local(self) -> Any:
        """The tasks of the zoo and of the study's folders; read in milliseconds."""
        return self._with_files(task_manager(include_defaults=False))

    @cached_property
    def _all(self) -> Any:
        """All tasks, with lm-eval's own 13,000, whose files take seconds to read."""
        return self._with_files(task_manager(include_defaults=True))

    def _with_files(self, manager: Any) -> Any:
        """A task manager that also knows the tasks of the study's folders."""
        from lm_eval.tasks._index import Entry, Kind

        kinds = {"task": Kind.TASK, "group": Kind.GROUP, "class": Kind.PY_TASK}
        manager = copy.copy(manager)
        manager._index = {
            **manager.task_index,
            **{
                name: Entry(name, kinds[files[0].kind], files[0].path, files[0].config)
                for name, files in self._files.by_name.items()
            },
        }
        return manager

    def _manager(self, name: str) -> Any:
        """A task manager that knows the name, if any does."""
        if name in self._local.task_index:
            return self._local
        entry = installed_entry(name)
        if entry is None:
            return self._all
        manager = copy.copy(self._local)
        manager._index = {**self._local.task_index, name: entry}
        return manager

    def entry(self, name: str, where: str | Path) -> TaskEntry:
        """A task's configuration; StudyError, which names the file `where`, if there is none, or
        the task's own file if that is invalid."""
        read: list[TaskEntry] = []

        def derive() -> list[Any]:
            read.append(self._read_entry(name, where))
            return [read[0].config, str(read[0].file) if read[0].file else None]

        sources = self._sources.entry(name)
        config, file = cached_fact("task_entries", sources.digest, derive, sources.files)
        return read[0] if read else TaskEntry(name, config, Path(file) if file else None)

    def _read_entry(self, name: str, where: str | Path) -> TaskEntry:
        """The entry as lm-eval reads it."""
        file = self._files.file(name)
        manager = self._manager(name)
        indexed = manager.task_index.get(name)
        if indexed is None:
            raise StudyError(
                where,
                "tasks",
                found=repr(name),
                expected="the name of an lm-eval task",
                do=f"{nearest(name, manager.task_index)} {self._files.hint()}".strip(),
            )
        if indexed.kind.name != "TASK":
            raise StudyError(
                where,
                "tasks",
                found=f"{name!r}, a {indexed.kind.name.lower().replace('_', ' ')}",
                expected="a single task written as YAML",
                do="List its tasks instead",
            )
        return TaskEntry(name, indexed.cfg or {}, file.path if file else None)

    def local_tasks(self) -> list[str]:
        """Names of the tasks of the zoo and of the study's folders."""
        index = self._local.task_index
        return [name for name, indexed in index.items() if indexed.kind.name == "TASK"]

    def load(self, name: str) -> LmEvalTask:
        """The lm-eval task with its data; StudyError if it cannot be loaded."""
        with self.faults(name):
            task: LmEvalTask = self._manager(name).load([name])["tasks"][name]
            _check_functions(task)
        return task

    def load_items(self, name: str, where: str | Path) -> tuple[LmEvalTask, TaskItems]:
        """The lm-eval task, and its items and pool; StudyError if they cannot be rendered."""
        entry = self._read_entry(name, where)
        task = self.load(name)
        with self.faults(name):
            items = task_items(task, name, shares_split=entry.shares_split)
            _check_prompts(task, items)
        return task, items

    def known_items(self, entry: TaskEntry, where: str | Path) -> TaskItems:
        """The items of `load_items`, from the cache if all that they are derived from is known."""
        read: list[TaskItems] = []

        def derive() -> dict[str, Any] | None:
            read.append(self.load_items(entry.name, where)[1])
            return items_as_json(read[0])

        sources = self._sources.items(entry)
        content = cached_fact("task_items", sources.digest, derive, sources.files)
        if not read and content is None:
            derive()
        return read[0] if read else items_from_json(content)

    @contextmanager
    def faults(self, name: str) -> Iterator[None]:
        """Context in which a task's code runs: whatever it raises becomes a StudyError that names
        the task and its file, and what is printed is dropped."""
        files = self._files.by_name.get(name)
        where = files[0].path if files else "lm-eval"
        try:
            with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                yield
        except StudyError:
            raise
        except (Exception, SystemExit) as error:  # a task's own code may raise anything
            raise StudyError(
                where,
                f"task {name}",
                found=printable(f"{type(error).__name__}: {error}", MAX_REASON),
                expected="a task that can be loaded and rendered",
            ) from error


def _check_functions(task: LmEvalTask) -> None:
    """LookupError for a metric or an aggregation that lm-eval does not know; it leaves them out."""
    functions = {"aggregation of": task.aggregation()}
    if task.config.process_results is None:
        functions["metric"] = task._metric_fn_list
    for kind, by_metric in functions.items():
        for metric, function in by_metric.items():
            if function is None:
                raise LookupError(f"there is no {kind} {metric}")


def _check_prompts(task: LmEvalTask, items: TaskItems) -> None:
    """Render one item, with a demonstration if there is one, and make its requests; raises what the
    task's description, delimiters, prefix and demonstrations raise."""
    document, shown = items.items[0].raw, Demonstrations(items.pool[:1])
    sampler, task.sampler = task.sampler, fixed_sampler(shown)
    try:
        for shots in range(len(shown.documents) + 1):
            prefix = task.doc_to_prefix(document)
            context = task.fewshot_context(document, num_fewshot=shots, gen_prefix=prefix)
            task.construct_requests(doc=document, ctx=context, metadata=(items.task, 0, 1))
    finally:
        task.sampler = sampler


def task_library(study: Study) -> TaskLibrary:
    """The tasks that a study can name; StudyError for a task folder that does not exist."""
    folders = tuple((study.folder / folder).resolve() for folder in study.task_folders)
    for i, folder in enumerate(folders):
        if not folder.is_dir():
            raise study.error(
                f"task_folders[{i}]",
                found=f"{study.task_folders[i]!r}, which is no folder",
                expected="a folder with lm-eval task files",
            )
    return TaskLibrary(folders)
