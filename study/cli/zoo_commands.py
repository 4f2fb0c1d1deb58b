"""Commands for the small world of tiny models."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from study.cli.output import say
from study.extras import require_extra

app = typer.Typer(help="The small world of tiny models.", no_args_is_help=True)


@app.callback()
def zoo() -> None:
    """The small world of tiny models."""


@app.command()
def build(
    member: Annotated[list[str] | None, typer.Argument(help="Only these members.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Members trained in parallel.")] = (
        os.cpu_count() or 1
    ),
) -> None:
    """Train the zoo's models that do not exist yet, from their recipes, and write its tasks."""
    require_extra("run")
    from study.zoo.build import build_zoo

    build_zoo(member, processes, say)
