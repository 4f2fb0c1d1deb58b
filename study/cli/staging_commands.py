"""Commands before a study is run: fetch what it needs, and check that it can be run.

In: a run folder. Out: `study.lock.json`; findings on standard output.
"""

from __future__ import annotations

import typer

from study.cli.arguments import On, RunFolder, begin, exit_if_failed
from study.cli.output import output, say
from study.extras import require_extra


def stage(run: RunFolder) -> None:
    """Download and verify models and data, and lock their revisions.

    Needs a network. With HF_HUB_OFFLINE set, checks what is already on this machine.
    """
    begin(run)
    require_extra("run")
    from study.planning.staging import stage as stage_run
    from study.results.run import Run

    exit_if_failed(stage_run(Run.open(run), say))


def doctor(run: RunFolder, on: On = "local") -> None:
    """Check that every model, dataset and resource is available before submitting a study."""
    begin(run)
    require_extra("run")
    from study.planning.plan_study import plan_study
    from study.results.run import Run
    from study.running.doctor import cost_text, examine, findings_text
    from study.running.executors import executor_type

    executor = executor_type(on)(Run.open(run))
    planned = plan_study(executor.run, on_step=say)
    findings = list(examine(planned, executor))
    output(f"{findings_text(findings)}\n\n{cost_text(planned)}")
    if any(finding.problem for finding in findings):
        raise typer.Exit(1)
