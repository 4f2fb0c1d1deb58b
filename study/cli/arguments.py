"""Arguments and options that several commands share, and how failures end a command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from study.cli.output import say

RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="Run folder: a folder that contains study.yaml.")
]
On = Annotated[
    str,
    typer.Option(
        metavar="EXECUTOR",
        help="Executor that runs the jobs: `local` for this machine, `slurm` for a cluster.",
    ),
]
Devices = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        help="Device of one worker, such as cuda:0 or cpu; repeat it for more workers. By default "
        "every GPU, or without one a worker per CPU core.",
    ),
]
StallMinutes = Annotated[
    float,
    typer.Option(
        min=0.01, help="Kill and retry a worker that has been silent for this many minutes."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def begin(run: Path) -> None:
    """Say which study is read, before the libraries that read it are imported."""
    say(f"reading {run}")


def exit_if_failed(failures: Sequence[str]) -> None:
    """Print failures and exit with code 1; return if there are none."""
    if not failures:
        return
    for failure in failures:
        say(f"failed: {failure}")
    say(f"{len(failures)} failed; fix these problems, then run the same command again")
    raise typer.Exit(1)
