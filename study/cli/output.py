"""The one place where text is printed: results on standard output, messages on standard error.

In: text, with names and responses of models in it. Out: the same text on the terminal, with every
control character escaped, so that no text can colour, overwrite or title it. `print` is refused by
the linter everywhere else.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress

from study.errors import StudyError, printable


class ClosedOutputError(Exception):
    """Whoever read standard output, such as `head`, has closed it."""


def say(message: str) -> None:
    """Print a message on standard error, as one line.

    A message that cannot be printed is dropped: a run does not end because its terminal did.
    """
    if sys.stderr is not None:
        with suppress(OSError):
            print(printable(message), file=sys.stderr, flush=True)


def output(text: str) -> None:
    """Print lines on standard output."""
    if sys.stdout is None:
        raise _unwritable(OSError(errno.EBADF, os.strerror(errno.EBADF)))
    encoding = sys.stdout.encoding or "utf-8"
    lines = "\n".join(printable(line) for line in text.split("\n"))
    try:
        print(lines.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except OSError as error:
        raise _unwritable(error) from error


def finish_output() -> None:
    """Write what is still buffered on standard output."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        raise _unwritable(error) from error


def discard_output() -> None:
    """Make sure that what could not be written does not fail once more when the process ends."""
    try:
        finish_output()
    except (StudyError, ClosedOutputError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def machine_fault(error: BaseException) -> StudyError:
    """An error of the machine that no command expects."""
    return StudyError(
        getattr(error, "filename", None) or "input or output",
        found=getattr(error, "strerror", None) or str(error),
        expected="files that can be read and written",
    )


def _unwritable(error: OSError) -> StudyError | ClosedOutputError:
    if isinstance(error, BrokenPipeError):
        return ClosedOutputError()
    return StudyError(
        "standard output",
        found=error.strerror or str(error),
        expected="a terminal, file or pipe that can be written to",
    )
