"""Packages that are missing or broken: one error that says what to install."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from study.errors import StudyError
from study.extras import EXTRAS, import_fault, require_extra
from tests.conftest import ROOT


def test_the_extras_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = dict(project["optional-dependencies"])
    del declared["dev"]
    assert declared.keys() == EXTRAS.keys()
    for extra, packages in EXTRAS.items():
        names = {entry.split(">")[0].split("=")[0].replace("-", "_") for entry in declared[extra]}
        assert names - {"icl_convergence[run]"} == set(packages)


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    require_extra("run")
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(StudyError) as error:
        require_extra("run")
    assert str(error.value) == (
        "lm_eval: found not installed; expected the package's extra `run`. "
        "pip install 'icl-convergence[run]'"
    )


BROKEN = {
    "missing_inside": "import a_package_that_is_not_there.part",
    "no_library": "raise ImportError('libcudart.so.12: cannot open shared object file')",
    "cannot_load": "import ctypes\nctypes.CDLL('libnothere.so')",
    "no_name": "from json import no_such_name",
}


def fault_of(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (folder / "broken_package.py").write_text(code)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "broken_package", raising=False)
    try:
        import broken_package  # type: ignore[import-not-found]  # noqa: F401
    except (ImportError, OSError) as error:
        return str(import_fault(error))
    raise AssertionError("it can be imported")


def test_faults_of_an_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = {name: fault_of(code, tmp_path, monkeypatch) for name, code in BROKEN.items()}
    assert faults["missing_inside"].startswith(
        "a_package_that_is_not_there: found not installed; expected an installed package. pip "
    )
    for name in ("no_library", "cannot_load", "no_name"):
        assert faults[name].startswith(
            "broken_package: found an installation that cannot be imported: "
        ), faults[name]
        assert faults[name].endswith("pip install --force-reinstall broken-package")
    assert "libcudart.so.12: cannot open shared object file" in faults["no_library"]
    assert "OSError: libnothere.so" in faults["cannot_load"]


def test_other_errors_are_not_those_of_an_installation(tmp_path: Path) -> None:
    for error in (ValueError("no"), OSError("no"), FileNotFoundError(2, "no", "file")):
        assert import_fault(error) is None
    with pytest.raises(OSError, match="No such file") as caught:
        (tmp_path / "absent").read_text()
    assert import_fault(caught.value) is None
    with pytest.raises(ImportError) as own:
        from study import no_such_module  # type: ignore[attr-defined]  # noqa: F401
    assert import_fault(own.value) is None, "a fault of this package is not hidden"
