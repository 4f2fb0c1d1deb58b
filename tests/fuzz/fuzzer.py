"""What a fuzzer is, and what must hold for each of its mutants.

In: a `Fuzzer`, which makes mutants of a valid input and reads them. Out: counts of mutants that
were accepted and refused, and the faults: what is neither accepted rightly nor refused by a
`StudyError` with a short, printable message, within `MAX_SECONDS`.
"""

from __future__ import annotations

import io
import shutil
import signal
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, ClassVar

from study.errors import MAX_MESSAGE, StudyError

MAX_SECONDS = 10.0
"Of computing."
WAITING_FACTOR = 12
"By which reading may take longer where others use the machine."
LINE_BREAKS = "\n\t"


@dataclass(frozen=True)
class Mutant:
    """A valid input with a change."""

    change: str
    "What was changed, for reports of faults."
    files: Mapping[str, bytes | None]
    "Content of the changed files by their path in the folder; None deletes the file."
    content: Any = None
    "What the changed file says, where the mutant was made from parsed content."
    invalid: bool = False
    "Whether it must be refused, whatever it says."


class Fuzzer(ABC):
    """One kind of input."""

    name: ClassVar[str]
    "Name of the kind, as in the table of counts."
    sample: ClassVar[int] = 60
    "Mutants that `make test` reads; fewer of kinds that take long to read."

    @abstractmethod
    def prepare(self, folder: Path) -> None:
        """Write the valid input into an empty folder, once; mutants change files in it."""

    @abstractmethod
    def mutant(self, random: Random) -> Mutant:
        """A random mutant."""

    @abstractmethod
    def read(self, folder: Path, mutant: Mutant) -> None:
        """Read the input as the commands do.

        StudyError if it is refused. AssertionError if it is accepted as something that the files do
        not say. Whatever else it writes into the folder is left there for the next mutant, unless
        it removes it.
        """


@dataclass
class Counts:
    """What became of the mutants of one kind."""

    mutants: int = 0
    accepted: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)
    "One text for each fault, which says how to repeat it."


class TooSlowError(BaseException):
    """Reading took longer than `MAX_SECONDS`; no handler of errors catches it."""


def run_fuzzer(
    fuzzer: Fuzzer, folder: Path, *, seed: int, count: int, only: int | None = None
) -> Counts:
    """Read `count` mutants of a kind, or the one with the number `only`.

    A mutant depends on the kind, the seed and its number, and on nothing else.
    """
    fuzzer.prepare(folder)
    counts = Counts()
    for number in range(count) if only is None else (only,):
        counts.mutants += 1
        mutant = fuzzer.mutant(Random(f"{fuzzer.name} {seed} {number}"))
        with _changed(folder, mutant):
            fault = _fault(fuzzer, folder, mutant, counts)
        if fault:
            counts.faults.append(f"{fuzzer.name}, seed {seed}, number {number}: {fault}")
    return counts


def _fault(fuzzer: Fuzzer, folder: Path, mutant: Mutant, counts: Counts) -> str:
    """Read a mutant and count it; the fault in one text, or '' if there is none."""
    output = io.StringIO()
    try:
        with redirect_stdout(output), redirect_stderr(output), _limited(MAX_SECONDS):
            fuzzer.read(folder, mutant)
    except StudyError as error:
        counts.refused += 1
        fault = _fault_of_message(str(error))
    except TooSlowError:
        fault = f"not read within {MAX_SECONDS:g} s"
    except BaseException as error:  # every other error is the fault that is looked for
        if isinstance(error, KeyboardInterrupt):
            raise
        fault = "".join(traceback.format_exception(error))[-3000:]
    else:
        counts.accepted += 1
        fault = "accepted, although it is invalid" if mutant.invalid else ""
    fault = fault or _fault_of_output(output.getvalue())
    return f"{mutant.change}: {fault}" if fault else ""


def _fault_of_message(message: str) -> str:
    if len(message) > MAX_MESSAGE:
        return f"a message of {len(message)} characters: {message[:200]!r}"
    return "" if message.isprintable() else f"a message that does not print: {message[:500]!r}"


def _fault_of_output(text: str) -> str:
    if len(text) > MAX_MESSAGE:
        return f"{len(text)} characters were printed: {text[:500]!r}"
    odd = [char for char in text if not char.isprintable() and char not in LINE_BREAKS]
    return f"control characters were printed: {text[:500]!r}" if odd else ""


@contextmanager
def _changed(folder: Path, mutant: Mutant) -> Iterator[None]:
    """The folder with the mutant's files; afterwards they are as before."""
    paths = {folder / name: content for name, content in mutant.files.items()}
    before = {path: path.read_bytes() if path.is_file() else None for path in paths}
    _write(paths)
    try:
        yield
    finally:
        _write(before)


def _write(files: Mapping[Path, bytes | None]) -> None:
    for path, content in files.items():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        if content is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """TooSlowError within the context once it has computed for so long, or waited for much longer.

    What is computed on a busy machine is not slow; what waits computes nothing.
    """

    def stop(signum: int, frame: FrameType | None) -> None:
        raise TooSlowError

    timers = {
        signal.SIGPROF: (signal.ITIMER_PROF, seconds),
        signal.SIGALRM: (signal.ITIMER_REAL, WAITING_FACTOR * seconds),
    }
    handlers = {signum: signal.signal(signum, stop) for signum in timers}
    for timer, limit in timers.values():
        signal.setitimer(timer, limit)
    try:
        yield
    finally:
        for timer, _ in timers.values():
            signal.setitimer(timer, 0)
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
