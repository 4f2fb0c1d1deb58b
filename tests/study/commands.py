"""The command `study` in the process of the tests: as in a process of its own, without its start.

In: arguments. Out: exit code and what was printed. What depends on the process itself (signals, the
time of the start) is tested with `tests.conftest.study_command`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from unittest.mock import patch

from study.cli.main import main
from study.processes import STOP_SIGNALS


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Call `study …`; on one CPU worker unless the arguments say where jobs run."""
    command = ["study", *map(str, arguments)]
    if arguments[0] in ("run", "tune") and not {"--device", "--on"} & set(command):
        command += ["--device", "cpu"]
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    code: object = 0
    output, errors = StringIO(), StringIO()
    with redirect_stdout(output), redirect_stderr(errors), patch.object(sys, "argv", command):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    assert isinstance(code, int)
    return subprocess.CompletedProcess(command, code, output.getvalue(), errors.getvalue())
