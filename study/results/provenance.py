"""Where a number came from: versions and source code.

In: nothing. Out: dictionaries that are part of every cell's record.
"""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import study

PACKAGES = (
    "icl-convergence",
    "lm_eval",
    "transformers",
    "torch",
    "datasets",
    "tokenizers",
    "numpy",
)


@cache
def versions() -> dict[str, str | None]:
    """Installed versions of the packages that can move a number; None if not installed."""

    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    return {"python": platform.python_version(), **{name: installed(name) for name in PACKAGES}}


@cache
def source() -> dict[str, Any]:
    """Git commit of the checkout that holds this package, and whether it has changes.

    Any changed or new file of the checkout makes it dirty, except in its folder `runs`, where
    studies are written. Empty if the package is not part of a checkout, for example when it is
    installed below one.
    """
    package = Path(study.__file__).resolve().parent

    def git(*arguments: str) -> str | None:
        command = ["git", "-C", str(package), *arguments]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return result.stdout.strip() if result.returncode == 0 else None

    if git("ls-files", "--error-unmatch", "__init__.py") is None:
        return {}
    root = git("rev-parse", "--show-toplevel")
    commit = git("rev-parse", "HEAD")
    if root is None or commit is None:
        return {}
    changes = git("status", "--porcelain", "--", root, f":(exclude){root}/runs")
    return {"commit": commit, "dirty": changes != ""}
