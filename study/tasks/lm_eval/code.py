"""Digests of a task's own functions, so that a change of their code is noticed.

In: a function that a task file names (`!function utils.process_results`). Out: sha256 of the source
that it consists of: the function, and from its module everything that the function can reach by
name, and every statement that runs when the module is imported. Modules beside it that are imported
are part of it whole. Installed packages are not: their versions are in every record.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class NoSourceError(Exception):
    """A function has no source in a file, so a change of it could not be noticed."""


def code_digest(function: Callable[..., Any]) -> str:
    """sha256 of the source of a function and of what it uses; NoSourceError if it has no file."""
    digest = hashlib.sha256()
    for part in _parts(function):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def _parts(function: Any) -> Iterator[str]:
    while isinstance(function, functools.partial):
        yield f"partial {function.args!r} {sorted(function.keywords.items())!r}"
        function = function.func
    function = inspect.unwrap(function)
    if not hasattr(function, "__qualname__"):  # an instance that can be called
        yield repr(sorted(vars(function).items()))
        function = type(function)
    try:
        file = inspect.getsourcefile(function)
    except TypeError:
        file = None
    if file is None or not Path(file).is_file():
        raise NoSourceError(f"{function!r} has no source file, so its code has no digest")
    yield function.__qualname__
    yield _reachable(Path(file), function.__qualname__.split(".")[0])
    for _, value in sorted(_captured(function).items()):
        if callable(value):
            yield from _parts(value)
        else:
            yield repr(value)


def _captured(function: Any) -> dict[str, Any]:
    """Variables of enclosing functions that a function uses, with their values."""
    return dict(inspect.getclosurevars(function).nonlocals) if inspect.isfunction(function) else {}


def _reachable(file: Path, name: str) -> str:
    """The source of a module, without definitions that `name` does not reach."""
    text = file.read_text(encoding="utf-8")
    module = ast.parse(text)
    definitions = {node.name: node for node in module.body if isinstance(node, Definition)}
    statements = [node for node in module.body if not isinstance(node, Definition)]
    names = _names(statements) | {name}
    reached: set[str] = set()
    while new := (names & definitions.keys()) - reached:
        reached |= new
        names |= _names([definitions[each] for each in new])
    kept = [*statements, *(definitions[each] for each in sorted(reached))]
    imported = [path.read_text(encoding="utf-8") for path in _imported_beside(file, kept)]
    return "\n".join([*map(ast.dump, kept), *imported])


def _names(nodes: list[ast.stmt]) -> set[str]:
    """All identifiers in the code, attributes included."""
    names = set()
    for node in nodes:
        for part in ast.walk(node):
            if isinstance(part, ast.Name):
                names.add(part.id)
            elif isinstance(part, ast.Attribute):
                names.add(part.attr)
            elif isinstance(part, ast.Constant) and isinstance(part.value, str):
                names.add(part.value)  # looked up by name, as in globals()["f"]
    return names


def _imported_beside(file: Path, nodes: list[ast.stmt]) -> list[Path]:
    """The modules in the file's folder that the code imports, and what those import, in order."""
    found: dict[Path, None] = {}
    waiting = [(file, nodes)]
    while waiting:
        importer, code = waiting.pop()
        for name in _imports(code):
            beside = importer.parent.joinpath(*name.split(".")).with_suffix(".py")
            if beside.is_file() and beside != file and beside not in found:
                found[beside] = None
                waiting.append((beside, ast.parse(beside.read_text(encoding="utf-8")).body))
    return sorted(found)


def _imports(nodes: list[ast.stmt]) -> Iterator[str]:
    """Names of imported modules; of absolute names also their last part."""
    for node in nodes:
        for part in ast.walk(node):
            if isinstance(part, ast.Import):
                yield from (alias.name.split(".")[-1] for alias in part.names)
            elif isinstance(part, ast.ImportFrom):
                if part.module:
                    yield from (part.module, part.module.split(".")[-1])
                yield from (alias.name for alias in part.names)
