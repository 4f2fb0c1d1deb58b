"""The command `study`: plan, run and analyse a study; build the zoo.

Every command takes RUN, a folder that holds `study.yaml`. What is wrong with the input is said in
one sentence and the exit code is 2; when some cells failed, it is 1. The commands themselves are in
`commands/`.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated

import typer

from study.cli import result_commands, run_commands, staging_commands
from study.cli.arguments import say
from study.errors import StudyError
from study.processes import StoppedError

app = typer.Typer(
    help="Compare what base models do with demonstrations and tuned models do without.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(run_commands.plan)
app.command()(staging_commands.stage)
app.command()(staging_commands.doctor)
app.command(name="run")(run_commands.run_cells)
app.command()(run_commands.tune)
app.command()(run_commands.status)
app.command()(run_commands.cancel)
app.command()(run_commands.compact)
app.command(name="import")(result_commands.import_scores)
app.command()(result_commands.export)
app.command()(result_commands.power)
app.command()(result_commands.analyze)
zoo_app = typer.Typer(help="The small world of tiny models.", no_args_is_help=True)
app.add_typer(zoo_app, name="zoo")


def main() -> None:
    """Runs the command; a StudyError becomes one line and exit code 2."""
    try:
        app()
    except StoppedError:
        say("stopped; the same command continues")
        sys.exit(128 + signal.SIGTERM)
    except StudyError as error:
        say(f"error: {error}")
        sys.exit(2)


@zoo_app.command()
def build(
    member: Annotated[list[str] | None, typer.Argument(help="Only these members.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Members trained side by side.")] = (
        os.cpu_count() or 1
    ),
) -> None:
    """Train every zoo model anew from its recipe, where it does not stand yet; write its tasks."""
    from study.zoo.command import build_zoo

    build_zoo(member, processes, say)
