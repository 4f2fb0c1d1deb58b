"""Ending cleanly when asked to.

In: SIGTERM. Out: `StoppedError`, which unwinds the stack, so that workers are ended on the way.
"""

from __future__ import annotations

import signal


class StoppedError(BaseException):
    """Asked to end by SIGTERM; not an error that anything on the way may catch."""


def stop_on_sigterm() -> None:
    """From now on SIGTERM raises `StoppedError` in the main thread."""
    signal.signal(signal.SIGTERM, _stop)


def _stop(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what unwinds is not to be cut short
    raise StoppedError
