"""Cancelling what runs on this machine or waits in queues. That a cancelled run can be resumed is
tested with each executor."""

from __future__ import annotations

import subprocess
from dataclasses import asdict

from study.results.files import write_whole
from study.results.run import Run
from study.running.cancel import cancel
from study.running.job_states import JobState, RunnerProcess, _start_time
from tests.conftest import MakeRun


def test_there_may_be_nothing_to_cancel(make_run: MakeRun) -> None:
    run = Run.open(make_run())
    assert list(cancel(run)) == ["nothing to cancel: no model is queued or running"]
    assert not run.results.exists()


def test_a_process_that_runs_several_jobs_is_sent_one_signal(make_run: MakeRun) -> None:
    import json

    run = Run.open(make_run())
    process = subprocess.Popen(["sleep", "60"])
    runner = RunnerProcess(RunnerProcess.current().host, process.pid, _start_time(process.pid) or 0)
    for model in ("a", "b"):
        content = json.dumps(asdict(JobState(model, "running", runner, 0.0))).encode()
        write_whole(run.results / "jobs" / f"{model}.json", content)
    assert list(cancel(run)) == [f"sent SIGTERM to process {process.pid}"]
    assert process.wait(10) == -15
    assert list(cancel(run)) == ["nothing to cancel: no model is queued or running"]
