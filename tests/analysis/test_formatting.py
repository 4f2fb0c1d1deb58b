"""Numbers and names as papers print them."""

from __future__ import annotations

import itertools
import math
import re
import string

import pytest

from analysis.formatting import latex_text, number, probability


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.8712, ".87"), (-0.5, "−.50"), (1.0, "1.00"), (-0.999, "−1.00"), (math.nan, "--")],
)
def test_numbers_have_no_zero_before_the_point(value: float, expected: str) -> None:
    assert number(value) == expected


def test_probabilities_have_a_smallest_value() -> None:
    assert probability(0.0312) == ".031"
    assert probability(0.0002) == "<.001"
    assert probability(math.nan) == "--"


MACROS = {
    r"\textbackslash": "\\",
    r"\textasciicircum": "^",
    r"\textasciitilde": "~",
    r"\textless": "<",
    r"\textgreater": ">",
    r"\textbar": "|",
    r"\textquotesingle": "'",
    r"\textasciigrave": "`",
}
SPECIAL = set("\\{}&%$#_^~")


def typeset(source: str) -> str:
    """What LaTeX prints of a text, by its rules: macros, control symbols, groups, ligatures."""
    printed: list[str] = []
    depth, at = 0, 0
    joinable = ""
    while at < len(source):
        macro = re.match(r"\\char(\d+)\s?|\\[A-Za-z]+|\\.", source[at:])
        character = source[at]
        if macro is not None:
            word = macro[0]
            if macro[1]:
                printed.append(chr(int(macro[1])))
            elif word in MACROS:
                printed.append(MACROS[word])
                assert source[at + len(word)] in "{ ", "a macro would swallow what follows"
            else:
                assert word[1] in "{}&%$#_", f"{word} is not known"
                printed.append(word[1])
            at, joinable = at + len(word), ""
            continue
        if character in "{}":
            depth += 1 if character == "{" else -1
            assert depth >= 0
            joinable = ""
        else:
            assert character not in SPECIAL, f"{character} is interpreted"
            assert character not in "<>|\"'`", f"{character} is another one in OT1"
            assert joinable + character not in ("--", ",,"), "a ligature"
            printed.append(character)
            joinable = character
        at += 1
    assert depth == 0
    return "".join(printed)


TEXTS = [
    *string.punctuation,
    *map("".join, itertools.product(string.punctuation, repeat=2)),
    string.punctuation,
    string.punctuation[::-1],
    "a---b ,,,c ?`d !`e ''f ``g <<h>> x^2_i 50 % \\alpha \\input{/etc/passwd} $y$ #1 ~ ^^41",
    "[2em] first of a row",
    "Größe é 中文",
]


def test_latex_prints_a_text_as_it_is() -> None:
    for text in TEXTS:
        escaped = latex_text(text)
        assert typeset(escaped) == text
        assert not escaped.startswith(("[", "*")), "an argument of the line break before it"


def test_latex_gets_no_control_characters() -> None:
    assert typeset(latex_text("a\x1b[31m\nb")) == r"a\x1b[31m\nb"
