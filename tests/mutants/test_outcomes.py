"""How a run of tests ends, and what of it is laid to a mutant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants import __main__ as tester
from tests.mutants.forked_tests import CRASHED, FAILED, PASSED, TIMED_OUT, Outcome, run_tests
from tests.mutants.mutant import Mutant


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def test_one(): pass", PASSED),
        ("x = 1", PASSED),
        ("def test_one(): assert False", FAILED),
        ("import nothing_of_this_name", FAILED),
        ("import os\ndef test_one(): os._exit(0)", CRASHED),
    ],
)
def test_how_tests_end(code: str, expected: int, tmp_path: Path) -> None:
    (tmp_path / "test_module.py").write_text(code)
    outcome = run_tests(tmp_path, ["test_module.py"], timeout=60)
    assert outcome.code == expected
    assert ("test_module.py" in outcome.by) == (expected == FAILED)


def test_tests_that_do_not_end_are_stopped(tmp_path: Path) -> None:
    (tmp_path / "test_module.py").write_text("import time\ntime.sleep(600)")
    assert run_tests(tmp_path, ["test_module.py"], timeout=0.5).code == TIMED_OUT


FAST, SLOW = Outcome(PASSED, "", 1.0), Outcome(PASSED, "", 200.0)
NO_END, FAILURE = Outcome(TIMED_OUT, "no end", 300.0), Outcome(FAILED, "test_one", 1.0)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([FAST], PASSED),
        ([FAILURE], FAILED),
        ([NO_END, FAST], TIMED_OUT),
        ([NO_END, NO_END, SLOW], PASSED),
        ([NO_END, SLOW, NO_END, FAST], TIMED_OUT),
    ],
)
def test_only_an_end_that_comes_without_the_mutant_is_laid_to_it(
    outcomes: list[Outcome], expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outcomes of running with the mutant, without, with, and so on."""
    module, remaining = tmp_path / "module.py", list(outcomes)
    module.write_text("x = 1")

    def run(folder: Path, tests: list[str], timeout: float) -> Outcome:
        mutated = (len(outcomes) - len(remaining)) % 2 == 0
        assert (folder, tests) == (tmp_path, ["test_module.py"])
        assert module.read_text() == ("x = 2" if mutated else "x = 1")
        return remaining.pop(0)

    monkeypatch.setattr(tester, "TREE", tmp_path)
    monkeypatch.setattr(tester, "run_tests", run)
    mutant = Mutant(module.name, "", "x = 1", "x = 2", 0, "x = 2")
    assert tester._outcome(mutant, ["test_module.py"], timeout=300).code == expected
    assert module.read_text() == "x = 1"
    assert not remaining
