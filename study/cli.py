"""The command `study`: plan, run and analyse a study; build the zoo.

Every command takes RUN, a folder that holds `study.yaml`. What is wrong with the input is said in
one sentence and the exit code is 2; when some cells failed, it is 1. Heavy libraries are imported
where they are needed, so that help answers at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from study.errors import StudyError

app = typer.Typer(
    help="Compare what base models do with demonstrations and tuned models do without.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
zoo_app = typer.Typer(help="The small world of tiny models.", no_args_is_help=True)
app.add_typer(zoo_app, name="zoo")

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A folder that holds study.yaml.")]


def main() -> None:
    """Runs the command; a StudyError becomes one line and exit code 2."""
    try:
        app()
    except StudyError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def say(what: str) -> None:
    """A word about what is happening, on standard error."""
    print(what, file=sys.stderr, flush=True)


@app.command()
def plan(
    run: Run,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Print what a study would run: cells, jobs, what is done, tokens and time."""
    from study.planning import planned
    from study.reporting import plan_json, plan_text

    state = planned(run, on_step=(lambda what: None) if as_json else say)
    print(json.dumps(plan_json(state), indent=1) if as_json else plan_text(state))


@app.command(name="run")
def run_study(
    run: Run,
    device: Annotated[
        list[str] | None,
        typer.Option(help="A device for one worker, such as cuda:0 or cpu; may be repeated. "
                     "By default every GPU, or a CPU worker per core."),
    ] = None,
) -> None:  # fmt: skip
    """Run what is left of a study; the same command continues after any interruption."""
    from study.planning import planned, run_planned
    from study.progress import show

    state = planned(run, on_step=say)
    failures = show(run_planned(state, device), state, say)
    for failure in failures:
        say(f"failed: {failure}")
    if failures:
        say(f"{len(failures)} failed; mend the causes and run the same command again")
        raise typer.Exit(1)


@app.command(name="import")
def import_scores(
    run: Run,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="CSV files in the form of scores.csv.")
    ],
) -> None:
    """Take scores that were measured elsewhere into a study. Needs no torch."""
    from study.design import read_study
    from study.imports import write_import
    from study.long_form import read_long_form

    read_study(run)
    for file in files:
        imported = read_long_form(file)
        write_import(run, imported)
        say(f"{file}: {len(imported.rows)} scores of {imported.rows['pair'].nunique()} pairs")


@app.command()
def analyze(run: Run) -> None:
    """Correlate base and tuned scores; write tables and figures. Needs no torch."""
    from analysis.run import analyze_run

    print(analyze_run(run, on_step=say))


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


Say = Callable[[str], Any]

if __name__ == "__main__":
    main()
