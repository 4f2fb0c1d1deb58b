"""The digest of a task's function moves with its code and what it uses, and with nothing else."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.tasks.lm_eval.code import NoSourceError, code_digest

SOURCE = """
import math
from beside import shared

LIMIT = 3


def helper(value):
    return value + LIMIT


def unrelated(value):
    return value


def scored(doc, results):
    return {"acc": helper(shared(results[0]))}
"""
BESIDE = """
def shared(value):
    return value
"""


def digest_of(folder: Path, source: str, beside: str = BESIDE) -> str:
    """The digest of `scored` in a module of this source, as lm-eval loads it by its path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "utils.py").write_text(source)
    (folder / "beside.py").write_text(beside)
    return code_digest(loaded(folder, "scored"))


def loaded(folder: Path, name: str) -> Callable[..., Any]:
    text = (folder / "utils.py").read_text().replace("from beside import shared", "shared = abs")
    spec = importlib.util.spec_from_file_location("utils", folder / "utils.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    exec(compile(text, str(folder / "utils.py"), "exec"), module.__dict__)
    function: Callable[..., Any] = module.__dict__[name]
    return function


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"acc": helper', '{"acc": 2 * helper'),
        ("value + LIMIT", "value - LIMIT"),
        ("LIMIT = 3", "LIMIT = 4"),
        ("import math", "import math\nmath.own = 3"),
    ],
)
def test_code_that_the_function_uses_moves_the_digest(
    before: str, after: str, tmp_path: Path
) -> None:
    assert before in SOURCE
    changed = digest_of(tmp_path, SOURCE.replace(before, after))
    assert changed != digest_of(tmp_path, SOURCE)


def test_a_module_beside_it_moves_the_digest(tmp_path: Path) -> None:
    changed = digest_of(tmp_path, SOURCE, BESIDE.replace("return value", "return -value"))
    assert changed != digest_of(tmp_path, SOURCE)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    return value\n\n\ndef scored", "    return value + 1\n\n\ndef scored"),
        ("def scored(doc, results):\n", "def scored(doc, results):\n    # a remark\n"),
    ],
)
def test_other_code_and_comments_do_not(before: str, after: str, tmp_path: Path) -> None:
    assert before in SOURCE
    changed = digest_of(tmp_path / "a", SOURCE.replace(before, after))
    assert changed == digest_of(tmp_path / "b", SOURCE), "nor does the place of the file"


def test_arguments_and_captured_values_are_part_of_it(tmp_path: Path) -> None:
    digest_of(tmp_path, SOURCE)
    function = loaded(tmp_path, "helper")
    partials = {code_digest(functools.partial(function, value=value)) for value in (1, 2)}
    assert len(partials | {code_digest(function)}) == 3

    def closure(value: int) -> Callable[[], int]:
        return lambda: value

    assert code_digest(closure(1)) != code_digest(closure(2))
    assert code_digest(closure(1)) == code_digest(closure(1))


def test_a_function_without_source_has_no_digest() -> None:
    with pytest.raises(NoSourceError, match="has no source file, so its code has no digest"):
        code_digest(len)
