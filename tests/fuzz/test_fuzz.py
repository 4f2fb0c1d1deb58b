"""A small sample of each fuzzer; `make fuzz` reads thousands of mutants."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from study.errors import StudyError
from tests.fuzz import fuzzer
from tests.fuzz.fuzzer import Fuzzer, Mutant, run_fuzzer
from tests.fuzz.kinds import FUZZERS


@pytest.mark.parametrize("kind", FUZZERS)
def test_mutants_are_accepted_rightly_or_refused_clearly(kind: str, tmp_path: Path) -> None:
    counts = run_fuzzer(FUZZERS[kind](), tmp_path, seed=1, count=FUZZERS[kind].sample)
    assert not counts.faults, "\n".join(counts.faults[:3])
    assert counts.accepted
    assert counts.refused > counts.accepted / 4


class Reader(Fuzzer):
    """Mutants whose reading goes wrong in every way."""

    name = "reader"

    def prepare(self, folder: Path) -> None:
        (folder / "file").write_text("1")

    def mutant(self, random: Random) -> Mutant:
        return Mutant("change", {"file": random.choice([b"2", None])}, invalid=True)

    def read(self, folder: Path, mutant: Mutant) -> None:
        if not (folder / "file").exists():
            raise StudyError("file", found="nothing", expected="a file")
        assert (folder / "file").read_text() == "2"
        print("\x1b[2J")


def test_wrong_acceptance_is_a_fault(tmp_path: Path) -> None:
    counts = run_fuzzer(Reader(), tmp_path, seed=0, count=20)
    assert counts.accepted + counts.refused == 20
    assert len(counts.faults) == counts.accepted > 0
    assert "change: accepted, although it is invalid" in counts.faults[0]
    assert (tmp_path / "file").read_text() == "1"


@pytest.mark.parametrize("error", [KeyError("\x00"), RecursionError("deep"), AssertionError("no")])
def test_any_other_error_is_a_fault(error: Exception, tmp_path: Path) -> None:
    class Failing(Reader):
        def read(self, folder: Path, mutant: Mutant) -> None:
            raise error

    counts = run_fuzzer(Failing(), tmp_path, seed=0, count=1)
    assert (counts.accepted, counts.refused) == (0, 0)
    assert type(error).__name__ in counts.faults[0]


@pytest.mark.parametrize("endless", [lambda: next(iter(int, 1)), lambda: time.sleep(0.001)])
def test_what_computes_or_waits_for_ever_is_a_fault(
    endless: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzzer, "MAX_SECONDS", 0.05)

    class Endless(Reader):
        def read(self, folder: Path, mutant: Mutant) -> None:
            while True:
                endless()

    counts = run_fuzzer(Endless(), tmp_path, seed=0, count=1)
    assert "not read within 0.05 s" in counts.faults[0]


def test_what_is_printed_is_looked_at(tmp_path: Path) -> None:
    class Printing(Reader):
        def mutant(self, random: Random) -> Mutant:
            return Mutant("change", {"file": b"2"})

    counts = run_fuzzer(Printing(), tmp_path, seed=0, count=1)
    assert (counts.accepted, len(counts.faults)) == (1, 1)
    assert "control characters were printed" in counts.faults[0]
