"""What commands share: their first argument, and how they speak.

In: nothing. Out: the type of RUN; a line on standard error.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A folder that holds study.yaml.")]


def say(what: str) -> None:
    """A word about what is happening, on standard error."""
    print(what, file=sys.stderr, flush=True)
