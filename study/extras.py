"""Packages that only some commands need: the extras of this package.

In: the name of an extra, or an error of an import. Out: one `StudyError` that says what to install.
"""

from __future__ import annotations

import sys
import traceback
from importlib.util import find_spec

from study.errors import StudyError

EXTRAS: dict[str, tuple[str, ...]] = {
    "run": (
        "accelerate",
        "datasets",
        "lm_eval",
        "sacrebleu",
        "safetensors",
        "tokenizers",
        "torch",
        "transformers",
    ),
    "tune": ("peft",),
}
"Packages of each extra in pyproject.toml, by the names under which they are imported."
OWN_PACKAGES = {"study", "analysis", "__main__", *sys.stdlib_module_names}


def require_extra(extra: str) -> None:
    """StudyError if a package of an extra is not installed. Nothing is imported."""
    for package in EXTRAS[extra]:
        if find_spec(package) is None:
            raise _not_installed(package)


def import_fault(error: Exception) -> StudyError | None:
    """What to do about a package that cannot be imported; None if `error` is something else."""
    if not isinstance(error, ImportError | OSError):
        return None
    name = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError):
        return _not_installed(name) if name not in OWN_PACKAGES else None
    package = _imported_package(error)
    if isinstance(error, ImportError) and name not in OWN_PACKAGES:
        package = name or package
    if not package:
        return None
    return StudyError(
        package,
        found=f"an installation that cannot be imported: {type(error).__name__}: {error}",
        expected="a working installation",
        do=f"pip install --force-reinstall {package.replace('_', '-')}",
    )


def _imported_package(error: BaseException) -> str:
    """The package during whose import an error was raised, the innermost; empty if none."""
    package = ""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        root = str(frame.f_globals.get("__name__")).partition(".")[0]
        if frame.f_code.co_name == "<module>" and root not in OWN_PACKAGES:
            package = root
    return package


def _not_installed(package: str) -> StudyError:
    extra = next((extra for extra, packages in EXTRAS.items() if package in packages), None)
    return StudyError(
        package,
        found="not installed",
        expected=f"the package's extra `{extra}`" if extra else "an installed package",
        do=f"pip install 'icl-convergence[{extra}]'" if extra else f"pip install {package}",
    )
