"""The layers of `study`: imports go from a higher layer to a lower one, those in functions too."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

LAYERS = (
    {
        "errors",
        "validation",
        "yaml_files",
        "csv_text",
        "processes",
        "extras",
        "fact_cache",
        "hardware",
        "bounded_jinja",
        "data",
        "inference",
    },
    {"config"},
    {"results"},
    {"zoo"},
    {"models"},
    {"tasks"},
    {"scorers"},
    {"exchange", "tuning"},
    {"planning"},
    {"running"},
    {"cli"},
)
"From the ground up; rooms of one layer do not import each other, the ground layer excepted."
GROUND = {
    "validation": {"errors", "yaml_files"},
    "yaml_files": {"errors"},
    "csv_text": {"errors"},
    "extras": {"errors"},
    "hardware": {"errors"},
}
"What the rooms of the ground layer import of it."
MAX_ROOMS = 9
WIDE = {"study", "study/zoo", "analysis/figures"}
"Folders that may have more rooms: the layers themselves, the zoo's parts, one module per figure."
NO_ROOMS = {"study/zoo/lm_eval_tasks"}
"Task files, of which some are code for lm-eval."


def modules() -> dict[str, Path]:
    """All modules of the project by their dotted names."""
    named = {}
    for package in ("study", "analysis"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if any(folder in path.relative_to(ROOT).as_posix() for folder in NO_ROOMS):
                continue
            parts = path.relative_to(ROOT).with_suffix("").parts
            named[".".join(part for part in parts if part != "__init__")] = path
    return named


MODULES = modules()


def imports(name: str) -> Iterator[str]:
    """Modules of the project that a module imports, wherever in its code."""
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative imports hide the layer"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                if submodule in MODULES:
                    yield submodule
                elif node.module in MODULES:
                    yield node.module


def layer(name: str) -> int:
    room = name.split(".")[1]
    return next(index for index, rooms in enumerate(LAYERS) if room in rooms)


STUDY = [name for name in MODULES if name.startswith("study.")]


def test_every_room_has_a_layer() -> None:
    rooms = {name.split(".")[1] for name in STUDY}
    assert rooms == set().union(*LAYERS)


@pytest.mark.parametrize("name", STUDY)
def test_imports_go_down(name: str) -> None:
    room = name.split(".")[1]
    for imported in imports(name):
        if imported.startswith("analysis"):
            assert room == "cli", f"{name} imports {imported}"
            continue
        if imported == "study":
            continue
        other = imported.split(".")[1]
        if other == room:
            continue
        if layer(name) == 0:
            assert other in GROUND.get(room, set()), f"{name} imports {imported}"
        else:
            assert layer(imported) < layer(name), f"{name} imports {imported}"


LIGHT_ROOMS = (
    "study.config",
    "study.results",
    "study.errors",
    "study.validation",
    "study.yaml_files",
    "study.csv_text",
)
LIGHT = {"numpy", "pandas", "pyarrow", "pydantic", "typing_extensions", "yaml"}


@pytest.mark.parametrize("name", [name for name in STUDY if name.startswith(LIGHT_ROOMS)])
def test_what_the_analysis_reads_with_is_light(name: str) -> None:
    imported = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).split(".")[0])
    assert imported - {"study", "__future__"} - sys.stdlib_module_names <= LIGHT


def test_there_is_no_cycle() -> None:
    """Between modules: a package's registry and its members may not need each other either."""
    graph = {name: {imported for imported in imports(name) if imported != name} for name in MODULES}
    TopologicalSorter(graph).prepare()


def test_folders_have_at_most_nine_modules() -> None:
    folders = {path.parent for path in MODULES.values()}
    for folder in folders:
        rooms = {
            path.stem
            for path in folder.iterdir()
            if (path.suffix == ".py" and path.stem not in ("__init__", "__main__"))
            or (path / "__init__.py").exists()
        }
        name = folder.relative_to(ROOT).as_posix()
        assert len(rooms) <= MAX_ROOMS or name in WIDE, f"{name}: {len(rooms)} rooms"
