"""Commands that plan jobs, run them, and see after them.

In: a run's folder. Out: cells in its results; plans and states on standard output. Heavy libraries
are imported where they are needed, so that help answers at once.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from study.cli.arguments import On, Place, Run, say
from study.processes import stop_on_sigterm


def plan(
    run: Run,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Print what a study would run: cells, jobs, what is done, tokens and time."""
    from study.planning.plan_report import plan_json, plan_text
    from study.planning.plan_study import planned

    state = planned(run, on_step=(lambda what: None) if as_json else say)
    print(json.dumps(plan_json(state), indent=1) if as_json else plan_text(state))


def run_cells(
    run: Run,
    device: Annotated[
        list[str] | None,
        typer.Option(help="A device for one worker, such as cuda:0 or cpu; may be repeated. "
                     "By default every GPU, or a CPU worker per core."),
    ] = None,
    stall_minutes: Annotated[
        float, typer.Option(min=0.01, help="A worker not heard of for so long is killed, and its "
                            "model tried again.")
    ] = 60.0,
    on: On = Place.LOCAL,
) -> None:  # fmt: skip
    """Run what is left of a study; the same command continues after any interruption."""
    from study.cli.progress import in_words, show
    from study.planning.changes import changes
    from study.planning.plan_study import planned, run_planned, submit_planned, unrunnable
    from study.results.cell_store.maintenance import mend
    from study.results.cell_store.store import Cells
    from study.results.ledger import ledger_rows

    stop_on_sigterm()
    for damage in mend(run):
        say(f"damaged, and computed anew: {damage}")
    state = planned(run, on_step=say)
    rows = ledger_rows(state.plan, state.resolved.exposures)
    for change in changes(Cells(run), state.done, state.plan, rows):
        say(f"note: {change}")
    stall_seconds = 60 * stall_minutes
    if on is Place.LOCAL:
        failures = show(run_planned(state, device, stall_seconds=stall_seconds), state, say)
    else:
        for done in submit_planned(state, device, stall_seconds=stall_seconds):
            say(done)
        failures = [in_words(event) for event in unrunnable(state)]
    for failure in failures:
        say(f"failed: {failure}")
    if failures:
        say(f"{len(failures)} failed; mend the causes and run the same command again")
        raise typer.Exit(1)


def tune(
    run: Run,
    device: Annotated[
        list[str] | None, typer.Option(help="As for `study run`; here 7B models want GPUs.")
    ] = None,
    stall_minutes: Annotated[
        float, typer.Option(min=0.01, help="A worker not heard of for so long is killed.")
    ] = 60.0,
) -> None:
    """Train the models that a study tunes by recipes, and nothing else; `study run` does it too."""
    from study.cli.progress import show_tuning
    from study.planning.plan_study import planned, tune_planned

    stop_on_sigterm()
    state = planned(run, on_step=say)
    jobs, events = tune_planned(state, device, stall_seconds=60 * stall_minutes)
    if failures := show_tuning(events, len(state.resolved.tuned), len(jobs), say):
        for failure in failures:
            say(f"failed: {failure}")
        say(f"{len(failures)} failed; mend the causes and run the same command again")
        raise typer.Exit(1)


def status(
    run: Run,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Print which models wait, run, are done or failed. Needs no torch."""
    from dataclasses import asdict

    from study.config.study import read_study
    from study.running.status import job_statuses, status_text

    read_study(run)
    statuses = job_statuses(run)
    print(json.dumps([asdict(row) for row in statuses], indent=1) if as_json
          else status_text(statuses))  # fmt: skip


def cancel(run: Run) -> None:
    """Stop a study's jobs: those in Slurm's queue, and runs on this machine."""
    from study.config.study import read_study
    from study.running.cancel import cancel as stop

    read_study(run)
    for done in stop(run):
        say(done)


def compact(run: Run) -> None:
    """Gather a study's finished cells into few files. Needs no torch."""
    from rich.console import Console
    from rich.progress import track

    from study.config.study import read_study
    from study.results.cell_store.maintenance import compact as gather
    from study.results.cell_store.store import Cells

    read_study(run)
    number = len(Cells(run).loose())
    console = Console(stderr=True)
    steps = iter(track(range(number), "packing", console=console, disable=not console.is_terminal))
    moved = gather(run, on_cell=lambda: next(steps, None))
    say(f"{moved} cells packed, {len(Cells(run).done())} in all")
