"""How numbers and names are printed in reports and figures.

In: a correlation, a p-value, or a name. Out: text, rounded or escaped. Files are never rounded;
only text that a person reads goes through this module.
"""

from __future__ import annotations

import math
import re

from study.errors import printable

MINUS = "−"
LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
}
"""Characters that LaTeX does not print as themselves, with what prints them: special characters,
quotes, those that the default font encoding prints as others, and those that may be arguments of
the line break before them."""
LIGATURES = re.compile("(?<=-)(?=-)|(?<=,)(?=,)")
"Between characters that LaTeX would join."


def number(value: float, digits: int = 2) -> str:
    """Format a correlation as papers print it: no zero before the decimal point, a true minus sign.

    >>> number(0.8712), number(-0.5), number(float("nan"))
    ('.87', '−.50', '--')
    """
    if math.isnan(value):
        return "--"
    text = f"{value:.{digits}f}"
    text = text.replace("0.", ".", 1) if abs(float(text)) < 1 else text
    return text.replace("-", MINUS)


def probability(value: float) -> str:
    """Format a p-value as papers print it.

    >>> probability(0.0312), probability(0.0000002)
    ('.031', '<.001')
    """
    return "<.001" if value < 0.001 else number(value, 3)


def latex_text(text: str) -> str:
    r"""Escape a text so that LaTeX prints it and interprets none of it.

    >>> print(latex_text("50 % of x^2_i"))
    50 \% of x\textasciicircum{}2\_i
    """
    escaped = "".join(LATEX.get(character, character) for character in printable(text))
    return LIGATURES.sub("{}", escaped)
