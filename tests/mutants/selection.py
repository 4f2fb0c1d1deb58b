"""Which tests are run on the mutants of a module.

In: the folder of the project, a package, a module. Out: test files.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS: dict[str, tuple[str, ...]] = {
    "analysis/statistics": ("tests/analysis/statistics",),
    "study/config": ("tests/study/config",),
    "study/results": ("tests/study/results",),
    "study/planning": ("tests/study/planning",),
}
"Packages, and the tests that are run on their mutants."
DESELECTED = (
    "tests/study/config/test_study.py::test_commands_exit_with_one_error_and_code_2",
    "tests/study/planning/cost/test_workload.py::test_the_work_is_what_a_run_measures",
    "tests/study/planning/test_staged_run.py",
)
"Tests that take longer than most others of a package together, since they start processes."


def stages(root: Path, package: str, module: str) -> Iterator[list[str]]:
    """The tests of the module, if it has any, and the others of the package that import it."""
    path = Path("tests", module)
    mirrored = path.with_name(f"test_{path.name}").as_posix()
    paths = [path for name in TESTS[package] for path in _python_files(root / name)]
    files = [path.relative_to(root).as_posix() for path in paths if path.stem.startswith("test_")]
    if mirrored in files:
        yield [mirrored]
    name = module.removesuffix(".py")
    others = [file for file in files if file != mirrored and name in _imported(root, file)]
    if others:
        yield others


def _python_files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


@cache
def _imported(root: Path, file: str) -> frozenset[str]:
    """Modules of the project that a test imports, directly or not, as paths without suffix."""
    imported: set[str] = set()
    conftests = [root / folder / "conftest.py" for folder in Path(file).parents]
    waiting = [root / file, *(path for path in conftests if path.exists())]
    while waiting:
        for node in ast.walk(ast.parse(waiting.pop().read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            paths = [name.replace(".", "/") for name in names]
            for found in [*paths, *(f"{path}/__init__" for path in paths)]:
                if found not in imported and (root / f"{found}.py").exists():
                    imported.add(found)
                    waiting.append(root / f"{found}.py")
    return frozenset(imported)


def tests_digest(root: Path, package: str) -> str:
    """Digest of the tests of a package."""
    digest = hashlib.sha256()
    for path in (path for name in TESTS[package] for path in _python_files(root / name)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
