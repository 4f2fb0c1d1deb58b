"""lm-eval's own tasks by name, without reading the 14,000 files that define them.

In: a name. Out: the entry that lm-eval's index has for it, read from the one file that defines the
task. Which file that is, is cached for an installation: for the names, sizes and times of its task
files. A file that does not define the task any more is not used.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from study.fact_cache import cached_fact
from study.zoo import TASKS


@cache
def task_manager(*, include_defaults: bool) -> Any:
    """lm-eval's task manager with the zoo's tasks, without its log, and with cached prompt
    templates.

    lm-eval compiles a task's template again for every document and every demonstration, which
    takes far longer than rendering it.
    """
    from lm_eval import utils
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    if not hasattr(utils.env.from_string, "cache_info"):
        utils.env.from_string = lru_cache(maxsize=4096)(utils.env.from_string)
    return TaskManager(include_path=str(TASKS), include_defaults=include_defaults)


def installed_entry(name: str) -> Any | None:
    """The entry of lm-eval's index for one of its own tasks; None if it has no task of this name,
    which may be that of a group."""
    file = _task_files().get(name)
    if file is None:
        return None
    from lm_eval.tasks._index import TaskIndex
    from lm_eval.tasks._yaml_loader import load_yaml

    path = _folder() / file
    index: dict[str, Any] = {}
    try:
        TaskIndex.process_cfg(load_yaml(path, resolve_func=False, recursive=True), path, index)
    except Exception:  # the file has changed; what is wrong with it shows in the whole index
        return None
    return index.get(name)


@cache
def _task_files() -> dict[str, str]:
    """By name of a task, the file that defines it, relative to lm-eval's folder of tasks."""
    folder = _folder()
    files = sorted(_states(folder))
    digest = hashlib.sha256(json.dumps([str(folder), files]).encode()).hexdigest()

    def derive() -> dict[str, str]:
        index = task_manager(include_defaults=True).task_index
        return {
            name: entry.yaml_path.relative_to(folder).as_posix()
            for name, entry in index.items()
            if entry.kind.name == "TASK" and entry.yaml_path.is_relative_to(folder)
        }

    found: dict[str, str] = cached_fact("task_files", digest, derive)
    return found


@cache
def _folder() -> Path:
    """lm-eval's folder of tasks."""
    package = find_spec("lm_eval")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "tasks"


def _states(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Path, size and time of the task files in a folder and in the folders in it."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _states(Path(entry.path))
            elif entry.name.endswith(".yaml"):
                stat = entry.stat()
                yield entry.path, stat.st_size, stat.st_mtime_ns
