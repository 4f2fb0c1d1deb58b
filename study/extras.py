"""Packages that only some commands need: the extras of this package.

In: the name of an extra, or an error of an import. Out: one `StudyError` that says what to install.
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from functools import cache
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
    "vllm": ("vllm",),
}
"Packages of each extra in pyproject.toml, by the names under which they are imported."
VLLM_PYTHON = "STUDY_VLLM_PYTHON"
"Environment variable with the Python of the environment in which vLLM is installed."
_VLLM_VERSION = """
from importlib.metadata import PackageNotFoundError, version
try:
    print(version("vllm"), version("lm-eval"))
except PackageNotFoundError:
    pass
"""
OWN_PACKAGES = {"study", "analysis", "__main__", *sys.stdlib_module_names}


def require_extra(extra: str) -> None:
    """StudyError if a package of an extra is not installed. Nothing is imported."""
    for package in EXTRAS[extra]:
        if find_spec(package) is None:
            raise _not_installed(package)


def vllm_python() -> str:
    """The Python that vLLM runs in: this one, unless an environment variable names another.

    vLLM pins versions of torch and transformers, so it often needs an environment of its own.
    """
    return os.environ.get(VLLM_PYTHON, sys.executable)


@cache
def vllm_version(python: str) -> str:
    """The version of vLLM in an environment; StudyError if it or lm-eval is not installed there."""
    try:
        result = subprocess.run(
            [python, "-c", _VLLM_VERSION], capture_output=True, text=True, timeout=60, check=True
        )
        found = result.stdout.split()
    except (OSError, subprocess.SubprocessError) as error:
        raise StudyError(
            VLLM_PYTHON,
            found=f"{python!r}, which cannot be run ({type(error).__name__})",
            expected="the Python of an environment with vLLM",
        ) from None
    if not found:
        raise StudyError(
            "engine: vllm",
            found=f"no vLLM, or no lm-eval, in the environment of {python}",
            expected="both, in one environment",
            do=f"Install vllm and lm-eval in a new environment and set {VLLM_PYTHON} to its Python",
        )
    return found[0]


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
