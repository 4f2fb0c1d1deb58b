"""The worked examples of CONTRIBUTING.md: applied to a copy of the packages, they pass their own
tests, the linter and the formatter, and cost one file and one entry in a registry each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import pages
from tests.conftest import ROOT

EXAMPLES = re.findall(
    r"^`([\w/]+\.py)`\n\n```(python|diff)\n(.*?)^```",
    pages.page_text("CONTRIBUTING.md"),
    flags=re.M | re.S,
)
"(file, language, text) of each block of code."
FILES = [(file, text) for file, language, text in EXAMPLES if language == "python"]
CHANGES = [(file, text) for file, language, text in EXAMPLES if language == "diff"]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages with all examples in it."""
    root = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__", "models")
    shutil.copytree(ROOT / "analysis", root / "analysis", ignore=ignored)
    shutil.copytree(ROOT / "study", root / "study", ignore=ignored)
    shutil.copytree(ROOT / "study" / "models", root / "study" / "models")
    (root / "study" / "zoo" / "models").symlink_to(ROOT / "study" / "zoo" / "models")
    (root / "pyproject.toml").symlink_to(ROOT / "pyproject.toml")
    for file, text in FILES:
        path = root / file
        assert not path.exists(), f"{file} would replace a file"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for file, difference in CHANGES:
        (root / file).write_text(changed((root / file).read_text(), difference))
    return root


def changed(text: str, difference: str) -> str:
    """A text with the parts of a difference applied, each of which must occur once."""
    for part in difference.split("…\n"):
        lines = part.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] in " -")
        after = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return text


def test_each_kind_of_thing_has_an_example() -> None:
    registries = {Path(file).parent.name for file, _ in CHANGES}
    assert registries == {"prompt_forms", "scorers", "executors", "tables", "figures"}
    assert all(Path(file).name == "__init__.py" for file, _ in CHANGES)
    tests = [file for file, _ in FILES if file.startswith("tests/")]
    assert len(FILES) == len(CHANGES) + len(tests)


def test_examples_pass_their_own_tests(copy: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONSAFEPATH": "1"}
    environment.pop("PYTEST_XDIST_WORKER", None)
    tests = [file for file, _ in FILES if file.startswith("tests/")]
    options = ["-q", "--noconftest", "--import-mode=importlib", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-c", os.devnull, "--rootdir", ".", *tests],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(tests)} passed" in done.stdout


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["check", "format"])
def test_examples_have_the_projects_style(copy: Path, command: list[str]) -> None:
    ruff = Path(sys.executable).parent / "ruff"
    changed_files = [file for file, _, _ in EXAMPLES]
    done = subprocess.run(
        [ruff, *command, "--no-cache", *changed_files], cwd=copy, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
