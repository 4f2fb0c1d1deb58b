"""A process stops cleanly on a signal, its children do not outlive it, and a signal reaches the
process that is meant, or none."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from study.processes import ProcessIdentity

STOPS = """
import signal, sys, time
from study.processes import StoppedError, stop_on_signals
stop_on_signals()
try:
    try:
        print("ready", flush=True)
        time.sleep(30)
    except Exception:
        print("caught as an ordinary exception")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)
        print("unwound", flush=True)
except StoppedError as stop:
    sys.exit(stop.exit_code)
"""
HOLDS_BACK = """
import signal, subprocess, sys
from study.processes import StoppedError, stop_on_signals, uninterrupted
stop_on_signals()
CHILD = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"
try:
    with uninterrupted():
        signal.raise_signal(signal.{signal})
        print("held back", flush=True)
        subprocess.run([sys.executable, "-c", CHILD], restore_signals=False)
    print("not stopped")
except StoppedError as stop:
    print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []), stop.exit_code)
"""
ENDS_WITH_PARENT = """
import multiprocessing, os, time
from study.processes import end_with_parent

def child(delay):
    time.sleep(delay)
    end_with_parent()
    time.sleep(60)

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=child, args=({delay},))
    process.start()
    print(process.pid, flush=True)
    time.sleep(60)
"""


def start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_unwinds_the_stack_and_a_second_one_does_not_interrupt_that(
    number: signal.Signals,
) -> None:
    process = start(STOPS)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert output == "unwound\n"
    assert process.returncode == 128 + number


def test_a_signal_that_was_ignored_from_the_start_stays_ignored() -> None:
    code = STOPS.replace("time.sleep(30)", "signal.raise_signal(signal.SIGINT)")
    ignoring = f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{code}"
    output, _ = start(ignoring.replace("(signal.SIGINT, signal.SIGTERM)", "()")).communicate()
    assert output == "ready\nunwound\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_held_back_while_a_process_is_started(number: signal.Signals) -> None:
    """The process that is started does not get a SIGINT of the terminal."""
    output, _ = start(HOLDS_BACK.format(signal=number.name)).communicate(timeout=20)
    assert output.splitlines() == ["held back", "True", f"False {128 + number}"]


@pytest.mark.parametrize("delay", [0, 2])
def test_a_child_ends_when_its_parent_is_killed(delay: int, tmp_path: Path) -> None:
    """Also if the parent is gone before the child looks for it."""
    script = tmp_path / "parent.py"
    script.write_text(ENDS_WITH_PARENT.format(delay=delay))
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    if not delay:
        time.sleep(1)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 20
    while is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that the child keeps open."""
    return tmp_path


@pytest.fixture
def child(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that keeps a folder open, and would end on any signal."""
    descriptor = os.open(folder, os.O_RDONLY)
    process = subprocess.Popen(["sleep", "60"], text=True, pass_fds=[descriptor])
    os.close(descriptor)
    yield process
    process.kill()
    process.wait()


def identity(process: subprocess.Popen[str]) -> ProcessIdentity:
    """The identity of a child, which may have just been started."""
    born = int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19])
    return replace(ProcessIdentity.current(), pid=process.pid, born=born)


def test_a_process_is_known_by_more_than_its_number(child: subprocess.Popen[str]) -> None:
    me = ProcessIdentity.current()
    assert (me.pid, me.host) == (os.getpid(), socket.gethostname())
    assert len(me.boot) == 32
    assert me.namespace > 0
    assert me.alive() is True
    runs = identity(child)
    assert runs.alive() is True
    assert replace(runs, born=runs.born - 1).alive() is False
    assert replace(runs, boot="0" * 32).alive() is False
    assert replace(runs, host="elsewhere").alive() is None
    assert replace(runs, namespace=7).alive() is None
    # What earlier versions recorded shows that a process is gone, not that it is there.
    assert replace(runs, boot="", namespace=0).alive() is None
    assert replace(runs, boot="", namespace=0, born=1).alive() is False
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert runs.alive() is False, "it has ended, and nobody has asked how yet"
    child.wait()
    assert runs.alive() is False


def test_a_process_is_sent_sigterm_once(child: subprocess.Popen[str], folder: Path) -> None:
    runs = identity(child)
    assert runs.works_in(folder) is True
    assert runs.terminate(folder)
    assert child.wait(10) == -signal.SIGTERM
    assert runs.works_in(folder) is False
    assert not runs.terminate(folder)


def test_a_process_that_does_not_work_in_the_folder_is_sent_nothing(
    child: subprocess.Popen[str], folder: Path
) -> None:
    """Whatever a file says of it."""
    runs = identity(child)
    (folder / "other").mkdir()
    for other in (folder / "other", folder / "nothing", folder.parent):
        assert runs.works_in(other) is False
        assert not runs.terminate(other)
    assert replace(runs, host="elsewhere").works_in(folder) is None
    assert child.poll() is None


@pytest.mark.parametrize(
    "change",
    [
        {"pid": 0},
        {"pid": -1},
        {"pid": 1},
        {"pid": os.getpid()},
        {"pid": -os.getpgrp()},
        {"born": 0},
        {"boot": ""},
        {"boot": "0" * 32},
        {"namespace": 0},
        {"namespace": 7},
        {"host": "elsewhere"},
    ],
)
def test_no_other_process_is_sent_a_signal(
    change: dict[str, int | str],
    child: subprocess.Popen[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not even if everything but one part is right."""
    sent: list[int] = []
    kill, send = os.kill, signal.pidfd_send_signal
    monkeypatch.setattr(os, "kill", lambda pid, s: kill(pid, s) if s == 0 else sent.append(pid))
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda fd, s: sent.append(fd) or send(fd, 0))
    monkeypatch.setattr(os, "killpg", lambda pid, s: sent.append(pid))
    runs = identity(child)
    if change.get("pid") == os.getpid():
        runs = ProcessIdentity.current()
    descriptor = os.open(folder, os.O_RDONLY)
    assert not replace(runs, **change).terminate(folder)
    os.close(descriptor)
    assert sent == []
    assert runs.alive()


def test_a_number_that_is_reused_just_now_is_not_sent_a_signal(
    child: subprocess.Popen[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the process and the signal, it ends and another gets its number."""
    runs, opened = identity(child), os.pidfd_open

    def reused(pid: int) -> int:
        monkeypatch.setattr(ProcessIdentity, "alive", lambda self: False)
        return opened(pid)

    monkeypatch.setattr(os, "pidfd_open", reused)
    assert not runs.terminate(folder)
    assert child.poll() is None


@pytest.mark.parametrize("pid", [1, 0, -1, os.getpid()], ids=["1", "0", "-1", "own"])
def test_some_numbers_are_never_sent_a_signal(
    pid: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is seen of them: the first process, groups of processes, the command itself."""
    opened: list[int] = []
    monkeypatch.setattr(ProcessIdentity, "works_in", lambda self, folder: True)
    monkeypatch.setattr(os, "pidfd_open", opened.append)
    assert not replace(ProcessIdentity.current(), pid=pid).terminate(folder)
    assert opened == []


def test_a_process_that_is_not_seen_to_work_in_the_folder_is_not_even_opened(
    child: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some systems cannot open processes."""
    monkeypatch.delattr(os, "pidfd_open")
    (tmp_path / "other").mkdir()
    assert not identity(child).terminate(tmp_path / "other")
