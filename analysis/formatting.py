"""How numbers are printed in reports and figures.

In: a correlation or a p-value. Out: text, rounded. Files are never rounded; only text that a person
reads goes through this module.
"""

from __future__ import annotations

import math

MINUS = "−"


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
