"""The status of jobs, from the ledger, the cells and the records of jobs."""

from __future__ import annotations

import json
import time

from study.results.run import Run
from study.running.executors.worker import log_file
from study.running.job_states import RunnerProcess, job_states, keep_open, record
from study.running.status import MISSING, JobStatus, job_statuses, status_text
from tests.finished_runs import remove_cell


def remove_a_cell(run: Run, model: str) -> None:
    key = next(row["key"] for row in run.ledger.rows if row["model"] == model)
    remove_cell(run, key)


def status_of(run: Run, model: str) -> JobStatus:
    return next(status for status in job_statuses(run) if status.model == model)


def test_a_finished_run(small: Run) -> None:
    statuses = job_statuses(small)
    assert [status.model for status in statuses] == list(
        dict.fromkeys(row["model"] for row in small.ledger.rows)
    )
    assert all(status.state == "done" and status.done == status.cells for status in statuses)
    text = status_text(statuses).splitlines()
    assert text[0] == ("6 models: 6 done, 0 running, 0 waiting, 0 failed; 24 of 24 cells done")
    assert text[1] == ""
    assert text[2].split() == [statuses[0].model, "done", f"{statuses[0].done}/{statuses[0].cells}"]


def test_what_the_records_of_jobs_say_of_a_model_that_is_not_done(copied: Run) -> None:
    model = str(copied.ledger.rows[0]["model"])
    remove_a_cell(copied, model)
    waits = status_of(copied, model)
    assert (waits.state, waits.done, waits.why) == ("waits", waits.cells - 1, "")
    record(copied.results, model, "running")
    with keep_open(copied.results):
        runs = status_of(copied, model)
    assert (runs.state, runs.where) == ("runs", RunnerProcess.current().where)
    assert runs.why.startswith("since 20")
    record(copied.results, model, "done")
    assert status_of(copied, model).state == "waits"
    assert status_of(copied, model).why == ""
    record(copied.results, model, "running")
    path = next((copied.results / "jobs").glob("*.json"))
    content = json.loads(path.read_text())
    content["runner"]["born"] -= 1
    path.write_text(json.dumps(content))
    with keep_open(copied.results):
        stopped = status_of(copied, model)
    assert (stopped.state, stopped.why) == ("waits", "the run was interrupted")


def test_a_failed_model_is_shown_with_the_last_line_of_its_log(copied: Run) -> None:
    model = str(copied.ledger.rows[0]["model"])
    remove_a_cell(copied, model)
    record(copied.results, model, "failed", ("one", "two"))
    failed = status_of(copied, model)
    assert (failed.state, failed.why, failed.log) == ("failed", "one; two", "")
    log = log_file(copied.results, model)
    log.parent.mkdir(exist_ok=True)
    log.write_text("first\nlast words\n\n")
    failed = status_of(copied, model)
    assert (failed.log, failed.last_line) == (str(log), "last words")
    assert f"    {log}: last words" in status_text(job_statuses(copied))
    assert job_states(copied.results)[model].at <= time.time()


def test_a_job_that_left_its_queue_before_it_was_done_has_failed(copied: Run) -> None:
    model = str(copied.ledger.rows[0]["model"])
    remove_a_cell(copied, model)
    record(copied.results, model, "running", queue_job="slurm 3_1")
    failed = status_of(copied, model)
    assert (failed.state, failed.where) == ("failed", "slurm 3_1")
    assert failed.why == "its job left the queue before it was done"


def test_a_model_that_is_not_on_this_machine_waits_for_it(copied: Run) -> None:
    content = json.loads(copied.ledger_file.read_text())
    model = content["rows"][0]["model"]
    for row in content["rows"]:
        row["key"] = None if row["model"] == model else row["key"]
    copied.ledger_file.write_text(json.dumps(content))
    status = status_of(copied, model)
    assert (status.state, status.done, status.why) == ("waits", 0, MISSING)
    assert status.cells == sum(row["model"] == model for row in content["rows"])
