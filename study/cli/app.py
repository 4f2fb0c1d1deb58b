"""The command `study`: plan, run and analyse a study; build the small world.

Every command takes a run folder. Invalid input ends it with one message and exit code 2; exit code
1 means that some cells failed.
"""

from __future__ import annotations

import typer

from study.cli import result_commands, run_commands, staging_commands, zoo_commands

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
