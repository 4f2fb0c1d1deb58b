"""Commands that plan, run and watch the jobs of a study.

In: a run folder. Out: cells in its results; plans and states on standard output. Heavy libraries
are imported where they are needed, so that help is printed at once.
"""

from __future__ import annotations

import json
from functools import partial

from study.cli.arguments import (
    AsJson,
    Devices,
    On,
    RunFolder,
    StallMinutes,
    begin,
    exit_if_failed,
)
from study.cli.output import output, say
from study.extras import require_extra


def plan(run: RunFolder, as_json: AsJson = False) -> None:
    """Print what a study would run: its cells, what is done, and the cost of the rest."""
    if not as_json:
        begin(run)
    require_extra("run")
    from study.planning.plan_report import plan_json, plan_text
    from study.planning.plan_study import plan_study
    from study.results.run import Run

    planned = plan_study(Run.open(run), on_step=(lambda message: None) if as_json else say)
    output(json.dumps(plan_json(planned), indent=1) if as_json else plan_text(planned))


def run_cells(
    run: RunFolder,
    device: Devices = None,
    stall_minutes: StallMinutes = 60.0,
    on: On = "local",
) -> None:
    """Run the study. Safe to interrupt: run the same command again to resume."""
    begin(run)
    require_extra("run")
    from study.cli.progress import show, show_submission
    from study.planning.changes import changes
    from study.planning.plan_study import plan_study
    from study.results.cell_store.maintenance import repair
    from study.results.files import sweep
    from study.results.run import Run
    from study.running.dispatch import dispatch
    from study.running.executors import executor_type

    executor = executor_type(on)(Run.open(run), device, stall_seconds=60 * stall_minutes)
    sweep(executor.run.folder)
    for store in (executor.run.responses, executor.run.cells):
        for damage in repair(store):
            say(f"corrupted files found; recomputing: {damage}")
    planned = plan_study(executor.run, on_step=say)
    for change in changes(planned):
        say(f"note: {change}")
    events = dispatch(planned, executor)
    exit_if_failed(show_submission(events, say) if executor.queues else show(events, planned, say))


def score(run: RunFolder) -> None:
    """Score the responses that are stored and not scored yet; needs no model. `study run` does so
    too."""
    begin(run)
    require_extra("run")
    from study.cli.progress import show_scores
    from study.hardware import cpu_devices
    from study.planning.ledger_rows import write_ledger
    from study.planning.plan_study import plan_study
    from study.results.run import Run
    from study.running.executors.local import LocalExecutor

    executor = LocalExecutor(Run.open(run), cpu_devices())
    planned = plan_study(executor.run, on_step=say)
    write_ledger(planned.resolved, planned.plan)
    jobs = planned.unscored()
    exit_if_failed(show_scores(executor.submit(jobs, planned), jobs, say))


def tune(run: RunFolder, device: Devices = None, stall_minutes: StallMinutes = 60.0) -> None:
    """Only train the models that the study tunes; `study run` also trains them."""
    begin(run)
    require_extra("run")
    from study.cli.progress import show_tuning
    from study.planning.plan_study import plan_study
    from study.results.run import Run
    from study.running.dispatch import training_jobs
    from study.running.executors.local import LocalExecutor

    executor = LocalExecutor(Run.open(run), device, stall_seconds=60 * stall_minutes)
    planned = plan_study(executor.run, on_step=say)
    jobs = training_jobs(planned)
    events = executor.submit(jobs, planned)
    exit_if_failed(show_tuning(events, len(planned.resolved.tuned), len(jobs), say))


def status(run: RunFolder, as_json: AsJson = False) -> None:
    """Print which models are waiting, running, done or failed."""
    if not as_json:
        begin(run)
    from dataclasses import asdict

    from study.results.run import Run
    from study.running.status import job_statuses, status_text

    statuses = job_statuses(Run.open(run))
    if as_json:
        output(json.dumps([asdict(status) for status in statuses], indent=1))
    else:
        output(status_text(statuses))


def cancel(run: RunFolder) -> None:
    """Cancel a study's jobs, on this machine and in queues."""
    begin(run)
    from study.results.run import Run
    from study.running.cancel import cancel as cancel_run

    for message in cancel_run(Run.open(run)):
        say(message)


def compact(run: RunFolder) -> None:
    """Gather the files of finished cells into a few large ones."""
    begin(run)
    from rich.console import Console
    from rich.progress import track

    from study.results.cell_store.maintenance import compact as compact_cells
    from study.results.files import sweep
    from study.results.run import Run

    opened = Run.open(run)
    sweep(opened.folder)
    console = Console(stderr=True)
    for what, store in (("responses", opened.responses), ("scores", opened.cells)):
        number = len(store.loose())
        steps = iter(
            track(range(number), "compacting", console=console, disable=not console.is_terminal)
        )
        moved = compact_cells(store, on_cell=partial(next, steps, None))
        say(f"{what} of {moved} cells gathered, {len(store.done())} in all")
