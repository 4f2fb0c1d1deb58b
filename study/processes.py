"""Signals and child processes: stop cleanly on SIGTERM, and never outlive the parent.

In: nothing. Out: `StoppedError` in the main thread on SIGTERM, which unwinds the stack so that
workers end on the way; in a child process, a thread that ends it when its parent is gone, however
the parent ended.
"""

from __future__ import annotations

import os
import signal
import threading
import time

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
