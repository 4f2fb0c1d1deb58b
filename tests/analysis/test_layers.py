"""The layers of the analysis: which of its modules may import which, and how folders are filled.

The imports of every file are read from its syntax tree, those within functions included.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import analysis

ROOT = Path(analysis.__file__).parent
LAYERS = (
    "formatting", "distributions", "statistics", "data", "tables", "figures", "report", "pipeline"
)  # fmt: skip
"From the ground up; a module imports of its own layer and of lower ones."
OF_STUDY = ("study.config", "study.results", "study.errors")
MAX_ROOMS = 9
FILES = sorted(ROOT.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> int:
    return LAYERS.index(module.split(".")[1])


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_of_study_only_what_is_light(path: Path) -> None:
    names = {name for name in imported(path) if name.split(".")[0] == "study"}
    assert not {name for name in names if not name.startswith(OF_STUDY)}


@pytest.mark.parametrize("path", [p for p in FILES if p.parent != ROOT or p.stem != "__init__"])
def test_imports_go_down(path: Path) -> None:
    layer = layer_of(module_of(path))
    names = {name for name in imported(path) if name.startswith("analysis.")}
    assert not {name for name in names if layer_of(name) > layer}


def test_modules_do_not_import_each_other_in_a_cycle() -> None:
    modules = {module_of(path): path for path in FILES}
    edges = {name: {m for m in imported(path) if m in modules} for name, path in modules.items()}
    remaining = {name: {m for m in others if m != name} for name, others in edges.items()}
    while leaves := {name for name, others in remaining.items() if not others}:
        remaining = {
            name: others - leaves for name, others in remaining.items() if name not in leaves
        }
    assert not remaining


@pytest.mark.parametrize(
    "folder", [ROOT, *sorted(p for p in ROOT.rglob("*") if (p / "__init__.py").exists())]
)
def test_folders_hold_at_most_nine_rooms(folder: Path) -> None:
    modules = [path for path in folder.glob("*.py") if path.stem != "__init__"]
    packages = list(folder.glob("*/__init__.py"))
    if folder.name != "figures":
        assert len(modules) + len(packages) <= MAX_ROOMS
