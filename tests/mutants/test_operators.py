"""The changes that mutants are made of: the faults that a test should notice are among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.mutant import mutants


def changed_lines(tmp_path: Path, code: str) -> set[str]:
    """The changed line of every mutant of a module."""
    (tmp_path / "module.py").write_text(code)
    return {mutant.after for mutant in mutants(tmp_path, tmp_path / "module.py")}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("os.fsync(file)", {"pass"}),
        ("x = a < b", {"x = (a <= b)", "x = (a >= b)"}),
        ("x = a / (a - 1)", {"x = (a * (a - 1))", "x = a / ((a + 1))", "x = a / (a - 2)"}),
        ("x = {'limit': limit, **arm}", {"x = {**arm}", "x = {'limit': limit}"}),
        ("f(a, limit=b)", {"f(a)", "pass"}),
        ("def f(x):\n    return x", {"return None"}),
        ("if a and b:\n    raise E", {"if (a or b):", "if (a):", "if (b):", "pass"}),
        ("@validator\ndef f(): ...", {""}),
        ("class A:\n    x: int = Field(ge=0)", {"x: int = Field()", "x: int = Field(ge=1)"}),
        ("class A:\n    x: Literal['a', 'b']", {"x: Literal['a']", "x: Literal['b']"}),
        ("x = 'ü' + f(min(1, y))", {"x = 'ü' + f(max(1, y))", "x = 'ü' + f(min(2, y))"}),
    ],
)
def test_what_a_line_becomes(tmp_path: Path, code: str, expected: set[str]) -> None:
    assert expected <= changed_lines(tmp_path, code)


@pytest.mark.parametrize(
    "code",
    [
        '"""A docstring."""',
        "def f(x: int | None) -> dict[str, int]: ...",
        "x: tuple[int, str]",
        "if TYPE_CHECKING:\n    x = 1",
        'x = f"{1 + 2}"',
        "@dataclass(frozen=True)\nclass A: ...",
    ],
)
def test_types_and_messages_stay(tmp_path: Path, code: str) -> None:
    assert not changed_lines(tmp_path, code)


def test_keys_name_changes_not_lines(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("x = 1\ny = 1\nx = 1\n")
    keys = [mutant.key for mutant in mutants(tmp_path, path)]
    assert len(set(keys)) == 3
    path.write_text("# a comment\n\nx = 1\ny = 1\nx = 1\n")
    assert [mutant.key for mutant in mutants(tmp_path, path)] == keys
