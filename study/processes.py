"""Signals and processes: stop on a signal, end with the parent, signal no unknown process.

In: nothing. Out: `StoppedError` in the main thread on a signal, which unwinds the stack so that
workers end on the way; in a child process, a thread that ends it when its parent is gone, however
the parent ended; the identity of a process, by which a file can name it safely.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing import resource_tracker
from pathlib import Path

PARENT_CHECK_SECONDS = 0.5
UNWIND_SECONDS = 10.0
"Further signals are ignored for so long after one that stops the process."
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StoppedError(BaseException):
    """SIGINT or SIGTERM arrived. Not an Exception: nothing on the way may catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


@dataclass
class _Stop:
    raised: float = -UNWIND_SECONDS
    "When a signal last stopped this process, by the monotonic clock."
    held: bool = False
    pending: int | None = None
    "A signal that arrived while signals were held back."


_STOP = _Stop()


def stop_on_signals() -> None:
    """From now on SIGINT (Ctrl-C) and SIGTERM raise `StoppedError` in the main thread.

    A signal that this process was started to ignore, as after `nohup`, stays ignored.
    """
    _STOP.raised = -UNWIND_SECONDS
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def default_signals() -> None:
    """From now on SIGINT and SIGTERM end this process at once, without a word."""
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is _stop:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold SIGINT and SIGTERM back within the context, so that nothing is left half-started.

    Processes that are started within it are not reached by Ctrl-C: their parent ends them.
    """
    resource_tracker.ensure_running()  # started with the first process, it would lift the mask
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # processes inherit it
    _STOP.held = True
    try:
        yield
    finally:
        _STOP.held = False
        pending, _STOP.pending = _STOP.pending, None
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if pending is not None:
            _stop(pending, None)


def _stop(number: int, frame: object) -> None:
    if _STOP.held:
        _STOP.pending = number
    elif time.monotonic() - _STOP.raised >= UNWIND_SECONDS:  # others must not interrupt unwinding
        _STOP.raised = time.monotonic()
        raise StoppedError(number)


def end_with_parent() -> None:
    """End this process when its parent is gone, or is gone already."""
    starter = multiprocessing.parent_process()
    parent = os.getppid() if starter is None else starter.pid

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@dataclass(frozen=True)
class ProcessIdentity:
    """A process, distinguished from every other that has or will have its number."""

    host: str
    boot: str
    "The kernel's boot id, 32 hexadecimal digits; empty if unknown."
    namespace: int
    "The namespace of process numbers: containers have their own. 0 if unknown."
    pid: int
    born: int
    "Start time in ticks since boot; 0 if unknown."

    @classmethod
    def current(cls) -> ProcessIdentity:
        """The calling process."""
        pid = os.getpid()
        _, born = _stat(pid) or ("", 0)
        return cls(socket.gethostname(), _boot(), _namespace(), pid, born)

    def alive(self) -> bool | None:
        """Whether it is still running; None if that cannot be seen from here."""
        if self.host != socket.gethostname() or self.namespace not in (0, _namespace()):
            return None
        if self.boot not in ("", _boot()):
            return False
        stat = _stat(self.pid)
        if stat is None:
            return None if _exists(self.pid) else False
        state, born = stat
        if state in "ZX" or born != self.born:
            return False
        return True if self.boot and self.namespace else None

    def works_in(self, folder: Path) -> bool | None:
        """Whether it is running and keeps this folder open; None if that cannot be seen."""
        alive = self.alive()
        if not alive:
            return alive
        try:
            wanted = folder.stat()
            descriptors = list(Path(f"/proc/{self.pid}/fd").iterdir())
        except FileNotFoundError:
            return False
        except OSError:
            return None  # another user's
        for descriptor in descriptors:
            with suppress(OSError):  # it has just been closed
                if os.path.samestat(descriptor.stat(), wanted):
                    return True
        return False

    def terminate(self, folder: Path) -> bool:
        """Send SIGTERM to this process if it keeps this folder open; False if nothing was sent."""
        if self.pid <= 1 or self.pid == os.getpid() or not self.works_in(folder):
            return False
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return False  # it has just ended
        try:
            # While the descriptor is open, it refers to one process. Is it still the right one?
            if not self.works_in(folder):
                return False
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        except OSError:
            return False  # it has just ended, or is another user's
        finally:
            os.close(descriptor)
        return True


@cache
def _boot() -> str:
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        return ""
    return text.strip().replace("-", "")


@cache
def _namespace() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def _stat(pid: int) -> tuple[str, int] | None:
    """State and start time of a process; None if they cannot be read."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return after_name[0], int(after_name[19])
    except (OSError, IndexError, ValueError):
        return None


def _exists(pid: int) -> bool:
    """Whether a process has this number, be it hidden from this user."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
