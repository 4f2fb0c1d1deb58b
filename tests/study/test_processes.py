"""A process stops cleanly on SIGTERM, and its children do not outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

STOPS = """
import signal, sys, time
from study.processes import StoppedError, stop_on_sigterm
stop_on_sigterm()
try:
    try:
        print("ready", flush=True)
        time.sleep(30)
    except Exception:
        print("caught as an ordinary exception")
    finally:
        print("unwound", signal.getsignal(signal.SIGTERM) is signal.SIG_IGN, flush=True)
except StoppedError:
    sys.exit(7)
"""
ENDS_WITH_PARENT = """
import subprocess, sys, time
code = "from study.processes import end_with_parent; import time; end_with_parent(); "
code += "print('ready', flush=True); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


def start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_sigterm_unwinds_the_stack_and_a_second_one_does_not_interrupt_that() -> None:
    process = start(STOPS)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    output, _ = process.communicate(timeout=20)
    assert output == "unwound True\n"
    assert process.returncode == 7


def test_a_child_ends_when_its_parent_is_killed() -> None:
    process = start(ENDS_WITH_PARENT)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 10
    while is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.1)
