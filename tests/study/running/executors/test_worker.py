"""A worker sees its own devices only, and writes a log for each model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from multiprocessing import Pipe
from pathlib import Path

import pytest

from study.running.events import Event
from study.running.executors.worker import WorkerDevices, _throttled, last_line, log_file
from tests.conftest import MakeRun
from tests.study.test_processes import is_running

CODE = """
import os
from study.running.executors.worker import WorkerDevices
devices = WorkerDevices({devices!r}, frozenset({{{core}}}), 0.0)
print(devices.isolate(), os.environ["CUDA_VISIBLE_DEVICES"], os.sched_getaffinity(0), sep="|")
"""


@pytest.mark.parametrize(
    ("devices", "before", "after"),
    [
        (("cpu",), "", ""),
        (("cuda:1",), None, "1"),
        (("cuda:0", "cuda:2"), "4,5,GPU-6", "4,GPU-6"),
    ],
)
def test_a_worker_sees_its_own_devices_only(
    devices: tuple[str, ...], before: str | None, after: str
) -> None:
    core = min(os.sched_getaffinity(0))
    code = CODE.format(devices=devices, core=core)
    environment = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
    if before is not None:
        environment["CUDA_VISIBLE_DEVICES"] = before
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    name = "cpu" if devices == ("cpu",) else "cuda:0"
    assert result.stdout.strip() == f"{name}|{after}|{{{core}}}"


def test_devices_can_be_sent_to_a_worker() -> None:
    here, there = Pipe()
    devices = WorkerDevices(("cuda:1",), frozenset({0}), 1.5)
    here.send(devices)
    assert there.recv() == devices


def test_the_last_line_of_a_log(tmp_path: Path) -> None:
    log = log_file(tmp_path, "org/model")
    assert log.parent == tmp_path / "logs"
    assert log != log_file(tmp_path, "org-model")
    assert last_line(log) == ""
    log.parent.mkdir()
    log.write_bytes(b"first\n  second \xff \n\n  \n")
    assert last_line(log) == "second \N{REPLACEMENT CHARACTER}"
    log.write_text("\n \n")
    assert last_line(log) == ""


def test_reports_of_a_kind_are_not_sent_more_often_than_once_in_a_while() -> None:
    here, there = Pipe()
    report = _throttled(here)
    for number in range(3):
        report(Event("alive", ""))
        report(Event("tuning", "m", reason=f"step {number}"))
    assert [there.recv().kind, there.recv().kind] == ["alive", "tuning"]
    assert not there.poll()


RUNNER = """
import os, sys, time
from multiprocessing import Pipe

from study.results.run import Run
from study.running.executors.worker import WorkerDevices, work

here, there = Pipe()
worker = os.fork()
if not worker:  # it inherits both ends, so that the pipe stays open
    devices = WorkerDevices(("cpu",), frozenset(os.sched_getaffinity(0)), 0.0)
    work(there, devices, Run.open(sys.argv[1]))
    os._exit(0)
assert here.recv().kind == "ready"
print(worker, flush=True)
time.sleep(600)
"""


def test_a_worker_that_waits_for_a_job_ends_when_its_runner_is_killed(make_run: MakeRun) -> None:
    command = [sys.executable, "-c", RUNNER, str(make_run())]
    runner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert runner.stdout is not None
    worker = int(runner.stdout.readline())
    runner.kill()
    runner.communicate()
    deadline = time.monotonic() + 60
    try:
        while is_running(worker):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        if is_running(worker):
            os.kill(worker, signal.SIGKILL)
