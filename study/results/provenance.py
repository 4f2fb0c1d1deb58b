"""Where a number came from: versions, source, hardware.

In: nothing. Out: a dictionary that stands in every cell's record.
"""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("icl-convergence", "lm_eval", "transformers", "torch", "datasets", "tokenizers",
            "numpy")  # fmt: skip


@cache
def versions() -> dict[str, str | None]:
    """Installed versions of what can move a number; None: not installed."""

    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    return {"python": platform.python_version(), **{name: installed(name) for name in PACKAGES}}


@cache
def source() -> dict[str, Any]:
    """Git commit of this package's checkout and whether it had changes; empty outside of one."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    if commit is None:
        return {}
    return {"commit": commit, "dirty": bool(git("status", "--porcelain", "--", str(folder)))}


def hardware(device: str) -> dict[str, Any]:
    """The machine and the device that computed."""
    import torch

    found = {"machine": platform.machine(), "device": device, "threads": torch.get_num_threads()}
    if device.startswith("cuda"):
        found["gpu"] = torch.cuda.get_device_name(torch.device(device))
    return found
