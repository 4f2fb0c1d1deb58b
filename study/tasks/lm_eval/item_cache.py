"""Which files a task's entry and items are derived from, and items as JSON, for the cache of facts.

In: task folders, the name and entry of a task. Out: sources for `study.fact_cache`. Known are those
of the zoo's tasks, and of tasks in a study's folders that run no code and read local data files.
All others are loaded for every plan: code may read anything, and the data of lm-eval's own tasks
are in the caches of the hub.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from study.fact_cache import contents
from study.results.identity import digest
from study.tasks.items import Document, TaskItems
from study.tasks.lm_eval.entry import TaskEntry
from study.zoo import TASKS

UNKNOWN_REACH = ("!function", "%TAG", "include", "hf_evaluate", "random", "lipsum")
"""What a task file may say so that other files or chance decide about its items: functions (also by
another name), other files, downloaded metrics, and what Jinja draws at random."""
DATA_FORMATS = ("csv", "json", "parquet", "text")
"Formats of local data files, as values of `dataset_path`."
DOCUMENTS = ("items", "pool")
"Fields of `TaskItems` that hold documents."


@dataclass(frozen=True)
class Sources:
    """What something about a task is derived from."""

    digest: str | None
    "Digest of it all; None if it is not known."
    files: tuple[Path, ...] = ()
    "The files among it."


class TaskSources:
    """What the entries and items of a library's tasks are derived from."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        own = [path for folder in folders for path in sorted(folder.rglob("*.yaml"))]
        zoo = [path for path in sorted(TASKS.rglob("*")) if "__pycache__" not in path.parts]
        self._files = tuple(filter(Path.is_file, (*zoo, *own)))
        self._texts: list[str] = []
        self._digest: str | None = None
        with suppress(OSError, ValueError):  # a file that cannot be read, or is no text
            self._texts = [path.read_text(encoding="utf-8") for path in own if path.is_file()]
            self._digest = contents(self._files)

    def entry(self, name: str) -> Sources:
        """What the entry of a task is derived from: all files of the zoo's tasks, and all task
        files of the study's folders."""
        known = not any(word in text for text in self._texts for word in UNKNOWN_REACH)
        if not known or self._digest is None:
            return Sources(None)
        defined = re.compile(rf"^task:\s*[\"']?{re.escape(name)}[\"']?\s*$", re.MULTILINE)
        if not (TASKS / f"{name}.yaml").is_file() and not any(map(defined.search, self._texts)):
            return Sources(None)
        return Sources(digest([name, self._digest]), self._files)

    def items(self, entry: TaskEntry) -> Sources:
        """What the items of a task are derived from: the sources of its entry, and its data."""
        sources = self.entry(entry.name)
        if sources.digest is None or entry.file is None:  # the zoo's data are among its files
            return sources
        arguments = entry.config.get("dataset_kwargs")
        if entry.config.get("dataset_path") not in DATA_FORMATS or not isinstance(arguments, dict):
            return Sources(None)
        named = list(_leaves(arguments.get("data_files")))
        data = [Path(name) for name in named if isinstance(name, str)]
        if set(arguments) != {"data_files"} or len(data) < len(named):
            return Sources(None)
        if not data or not all(path.is_file() for path in data):
            return Sources(None)
        data_digest = contents(path.absolute() for path in data)
        # The datasets library goes by the time of a file, and returns what it read before.
        times = [path.stat().st_mtime_ns for path in data]
        return Sources(digest([sources.digest, data_digest, times]), (*sources.files, *data))


def items_as_json(items: TaskItems) -> dict[str, Any] | None:
    """Items as JSON; None if a document holds anything that JSON would change."""
    content: dict[str, Any] = {
        part: [[d.index, d.text, list(d.choices), d.target, d.raw] for d in getattr(items, part)]
        for part in DOCUMENTS
    }
    if not all(map(_is_plain, content.values())):
        return None
    names = {field.name for field in fields(items)} - content.keys()
    return {**content, **{name: getattr(items, name) for name in names}}


def items_from_json(content: dict[str, Any]) -> TaskItems:
    """The items again."""
    documents = {
        part: tuple(
            Document(index, text, tuple(choices), target, raw)
            for index, text, choices, target, raw in content[part]
        )
        for part in DOCUMENTS
    }
    return TaskItems(**{**content, **documents, "classes": tuple(content["classes"])})


def _leaves(value: Any) -> Iterator[Any]:
    """The values in lists and dictionaries."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)
    else:
        yield value


def _is_plain(value: Any) -> bool:
    """Whether JSON gives back the same value, of the same type."""
    if type(value) is list:
        return all(map(_is_plain, value))
    if type(value) is dict:
        return all(type(key) is str for key in value) and all(map(_is_plain, value.values()))
    return value is None or type(value) in (bool, int, float, str)
