"""The command `study`: plan, run and analyse a study; build the small world.

Every command takes a run folder. Invalid input ends it with one message and exit code 2; exit code
1 means that some cells failed.
"""

from __future__ import annotations

import signal
import sys

import typer

from study.cli import result_commands, run_commands, staging_commands, zoo_commands
from study.cli.arguments import say
from study.errors import StudyError
from study.processes import StoppedError

app = typer.Typer(
    help="Compare base models that are given demonstrations with their instruction-tuned versions.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(run_commands.plan)
app.command()(staging_commands.stage)
app.command()(staging_commands.doctor)
app.command(name="run")(run_commands.run_cells)
app.command()(run_commands.score)
app.command()(run_commands.tune)
app.command()(run_commands.status)
app.command()(run_commands.cancel)
app.command()(run_commands.compact)
app.command(name="import")(result_commands.import_scores)
app.command()(result_commands.export)
app.command()(result_commands.power)
app.command()(result_commands.analyze)
app.add_typer(zoo_commands.app, name="zoo")


def main() -> None:
    """Run the command; a StudyError is printed as one line, with exit code 2."""
    try:
        app()
    except StoppedError:
        say("interrupted; run the same command again to resume")
        sys.exit(128 + signal.SIGTERM)
    except StudyError as error:
        say(f"error: {error}")
        sys.exit(2)
