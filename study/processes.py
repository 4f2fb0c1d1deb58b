"""Signals and processes: stop on SIGTERM, end with the parent, signal no unknown process.

In: nothing. Out: `StoppedError` in the main thread on SIGTERM, which unwinds the stack so that
workers end on the way; in a child process, a thread that ends it when its parent is gone, however
the parent ended; the identity of a process, by which a file can name it safely.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PARENT_CHECK_SECONDS = 0.5


class StoppedError(BaseException):
    """SIGTERM arrived. Not an Exception: nothing on the way may catch it."""


def stop_on_sigterm() -> None:
    """From now on SIGTERM raises `StoppedError` in the main thread."""
    signal.signal(signal.SIGTERM, _stop)


def _stop(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second signal must not interrupt unwinding
    raise StoppedError


def end_with_parent() -> None:
    """End this process when its current parent is gone."""
    parent = os.getppid()

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
