"""Versions and the commit of the source, as every cell's record has them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

import study
from study.results.provenance import PACKAGES, source, versions
from study.results.run import Run


@pytest.fixture(autouse=True)
def uncached() -> Iterator[None]:
    source.cache_clear()
    yield
    source.cache_clear()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a package of the name `study` and nothing else, as if it were this one."""
    package = tmp_path / "checkout" / "study"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(study, "__file__", str(package / "__init__.py"))
    return package.parent


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_versions_are_those_installed() -> None:
    assert versions()["python"] == ".".join(map(str, sys.version_info[:3]))
    assert set(versions()) == {"python", *PACKAGES}
    assert versions()["lm_eval"] == version("lm_eval")


def test_any_change_of_the_checkout_makes_it_dirty(checkout: Path) -> None:
    git(checkout, "init", "-q")
    git(checkout, "add", "study")
    git(checkout, "commit", "-q", "-m", "first")
    assert source() == {"commit": git(checkout, "rev-parse", "HEAD"), "dirty": False}
    (checkout / "runs" / "mine").mkdir(parents=True)
    (checkout / "runs" / "mine" / "study.yaml").write_text("")
    source.cache_clear()
    assert source()["dirty"] is False
    (checkout / "beside.py").write_text("")
    source.cache_clear()
    assert source()["dirty"] is True


def test_a_package_that_is_in_no_checkout_has_no_source(checkout: Path) -> None:
    assert source() == {}


def test_a_package_installed_below_a_checkout_is_not_part_of_it(checkout: Path) -> None:
    git(checkout, "init", "-q")
    git(checkout, "commit", "-q", "--allow-empty", "-m", "first")
    assert source() == {}


def test_without_git_there_is_no_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("git") is None
    assert source() == {}


def test_records_of_cells_have_them(small: Run) -> None:
    record = small.cells.record(min(small.cells.done()))
    assert record["provenance"]["versions"] == versions()
    assert record["provenance"]["seed"] == small.study.seed
    assert record["provenance"]["hardware"]["device"] == "cpu"
    assert record["provenance"]["seconds"] > 0
    if os.access(Path(study.__file__).parent.parent / ".git", os.R_OK):
        assert len(record["provenance"]["source"]["commit"]) == 40
