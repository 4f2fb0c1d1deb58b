"""Task files of a study's own folders: which tasks they define, and what each may say.

In: folders. Out: `TaskFiles`: by name, a task's file and its configuration with what it includes,
functions unresolved. A file that cannot be read matters only to a study that names its task.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from study.errors import StudyError, listed, nearest
from study.tasks.lm_eval.task_schema import TaskConfiguration
from study.validation import validated_content
from study.yaml_files import check_yaml

MAX_FILES = 50
"Files that a task file may include, those that these include among them."
IGNORED = {"__pycache__", ".ipynb_checkpoints"}
"Folders that lm-eval does not read."


@dataclass(frozen=True)
class TaskFile:
    """A file that defines a task, a group or a class."""

    path: Path
    config: dict[str, Any]

    @property
    def kind(self) -> str:
        """What it defines: a `task`, a `group`, or a task by a `class` of its own."""
        return next(key for key in ("class", "group", "task") if key in self.config)


@dataclass
class TaskFiles:
    """The task files of folders."""

    by_name: dict[str, list[TaskFile]] = field(default_factory=dict)
    "By name of a task or group, the files that define it."
    unreadable: dict[Path, StudyError] = field(default_factory=dict)

    def file(self, name: str) -> TaskFile | None:
        """The file that defines a task; None if there is none.

        StudyError if there are several, if it is invalid, or if a file that cannot be read seems to
        define it.
        """
        files = self.by_name.get(name, [])
        for path, error in self.unreadable.items():
            if not files and (path.stem == name or _mentions(path, name)):
                do = f"The study names the task {name!r}"
                raise StudyError(path, error.key, found=error.found, expected=error.expected, do=do)
        if len(files) > 1:
            others = ", ".join(str(file.path) for file in files[1:])
            raise StudyError(
                files[0].path,
                f"task {name}",
                found=f"other files that define the same task, {others}",
                expected="one",
            )
        if files and files[0].kind == "task":
            _check(files[0])
        return files[0] if files else None

    def hint(self) -> str:
        """What to say of files that cannot be read where a task is not found."""
        if not self.unreadable:
            return ""
        names = listed([path.name for path in self.unreadable], most=3)
        return f"Task files that cannot be read: {names}"


def _check(file: TaskFile) -> None:
    """StudyError for a configuration that lm-eval would not take as it is meant."""
    from lm_eval.api.registry import metric_registry

    config = validated_content(TaskConfiguration, file.config, file.path)
    for i, metric in enumerate(config.metric_list or ()):
        known = metric.metric in metric_registry or metric.hf_evaluate
        if not known and config.process_results is None:
            raise StudyError(
                file.path,
                f"metric_list[{i}].metric",
                found=repr(metric.metric),
                expected="a metric of lm-eval, or of the evaluate library with `hf_evaluate: true`",
                do=nearest(metric.metric, metric_registry),
            )


def read_task_files(folders: tuple[Path, ...]) -> TaskFiles:
    """Read all task files in folders and in the folders in them."""
    files = TaskFiles()
    for path in (path for folder in folders for path in _yaml_files(folder)):
        try:
            config = _config(path)
        except StudyError as error:
            files.unreadable[path] = error
            continue
        if not {"class", "group", "task"} & config.keys():
            continue  # it is there to be included
        file = TaskFile(path, config)
        name = config.get("task" if "task" in config else "group")
        if isinstance(name, str) and file.kind != "group":
            files.by_name.setdefault(name, []).append(file)
        elif isinstance(group := config.get("group"), str):
            files.by_name.setdefault(group, []).append(file)
        else:
            files.unreadable[path] = StudyError(
                path, "task", found=repr(name), expected="a text", do="Write it in quotes"
            )
    return files


def _yaml_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.glob("**/*.yaml"), key=Path.as_posix):
        if path.is_file() and not IGNORED & set(path.relative_to(folder).parts):
            yield path


def _config(path: Path) -> dict[str, Any]:
    """The configuration in a file, as lm-eval reads it; StudyError if it cannot."""
    from lm_eval.tasks._yaml_loader import load_yaml

    waiting, checked = [path], set[Path]()
    while waiting:
        file = waiting.pop()
        if file in checked:
            raise StudyError(path, "include", found=f"{file} twice", expected="each file once")
        if len(checked) == MAX_FILES:
            found = f"more than {MAX_FILES} files"
            raise StudyError(path, "include", found=found, expected="fewer")
        checked.add(file)
        waiting += _included(file)
    return dict(_loaded(load_yaml, path))


def _included(path: Path) -> list[Path]:
    """The files that a file includes itself."""
    from lm_eval.tasks._yaml_loader import load_yaml

    check_yaml(path)
    names = _loaded(load_yaml, path, recursive=False).get("include", [])
    names = names if isinstance(names, list) else [names]
    files = [path.parent / name for name in names if isinstance(name, str) and name.isprintable()]
    if len(files) < len(names) or not all(map(_is_file, files)):
        raise StudyError(path, "include", found=repr(names), expected="names of files that exist")
    return [file.resolve() for file in files]


def _loaded(load_yaml: Any, path: Path, *, recursive: bool = True) -> dict[str, Any]:
    try:
        config: dict[str, Any] = load_yaml(path, resolve_func=False, recursive=recursive)
    except Exception as error:  # of lm-eval, or of values that YAML's own types do not accept
        reason = re.sub(r"\s+", " ", str(error))
        raise StudyError(path, found=reason, expected="a task file of lm-eval") from None
    return config


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file system accepts
        return False


def _mentions(path: Path, name: str) -> bool:
    """Whether a file that is no readable YAML seems to define a task."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    pattern = rf"""^\s*["']?task["']?\s*:\s*["']?{re.escape(name)}["']?\s*(#.*)?$"""
    return re.search(pattern, text, flags=re.MULTILINE) is not None
