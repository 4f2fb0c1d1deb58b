"""What commands share: their first argument, and how they speak.

In: nothing. Out: the type of RUN; a line on standard error.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A folder that holds study.yaml.")]


class Place(StrEnum):
    """Where jobs run."""

    LOCAL = "local"
    SLURM = "slurm"


On = Annotated[
    Place,
    typer.Option(
        help="This machine, or a Slurm cluster; jobs there get the resources that the study file "
        "lists under `slurm`."
    ),
]


def say(what: str) -> None:
    """A word about what is happening, on standard error."""
    print(what, file=sys.stderr, flush=True)
