"""Commands before a study is run: fetch all it needs, and see whether it can be run.

In: a run's folder. Out: `study.lock.json`; what is in the way, on standard output.
"""

from __future__ import annotations

import typer

from study.cli.arguments import On, Place, Run, say


def stage(run: Run) -> None:
    """Fetch and verify models and data once, and lock their revisions. Needs a network, or checks
    what is there where HF_HUB_OFFLINE is set."""
    from study.planning.staging import stage as fetch

    failures = fetch(run, say)
    for failure in failures:
        say(f"failed: {failure}")
    if failures:
        say(f"{len(failures)} failed; mend the causes and run the same command again")
        raise typer.Exit(1)


def doctor(run: Run, on: On = Place.LOCAL) -> None:
    """Say before a week is booked whether everything planned is there, fits, and resolves."""
    from study.planning.plan_study import planned
    from study.running.doctor import examine, findings_text

    findings = examine(planned(run, on_step=say), slurm=on is Place.SLURM)
    print(findings_text(findings))
    if any(finding.wrong for finding in findings):
        raise typer.Exit(1)
