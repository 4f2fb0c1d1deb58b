"""How a command starts and ends.

In: the arguments of the process. Out: its exit code, and one message if it failed: invalid input
and output that cannot be written are 2, failures of cells 1, a signal 128 and its number. The
commands themselves are in `app.py`, which is imported once signals are handled.
"""

from __future__ import annotations

import signal
import sys

from study.processes import StoppedError, default_signals, stop_on_signals


def main() -> None:
    """Run the command and exit."""
    code: object
    try:
        stop_on_signals()
        code = _run()
    except StoppedError as stop:
        from study.cli.output import say

        say("interrupted; run the same command again to resume")
        code = stop.exit_code
    finally:
        default_signals()
    sys.exit(code)  # type: ignore[arg-type]


def _run() -> object:
    """Run the command; returns its exit code."""
    from study.cli.output import (
        ClosedOutputError,
        discard_output,
        finish_output,
        machine_fault,
        say,
    )
    from study.errors import StudyError

    code: object = 0
    try:
        from study.cli.app import app

        try:
            app()
        except SystemExit as end:
            code = end.code
        finish_output()
        return code
    except ClosedOutputError:
        discard_output()
        say("standard output was closed before everything was printed")
        return 128 + signal.SIGPIPE
    except StudyError as error:
        fault = error
    except Exception as error:
        from study.extras import import_fault

        import_error = import_fault(error)
        if import_error is None and not isinstance(error, OSError):
            return _report_bug(error)
        fault = import_error or machine_fault(error)
    discard_output()
    say(f"error: {fault}")
    return 2


def _report_bug(error: Exception) -> int:
    """Print the traceback of an error that no command expects; returns the exit code."""
    import traceback

    from study.cli.output import say

    for line in "".join(traceback.format_exception(error)).splitlines():
        say(line)
    return 1
