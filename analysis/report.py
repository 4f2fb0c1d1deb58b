"""Tables as files: CSV in full precision, LaTeX for a paper, text for the terminal.

In: the frame of correlations. Out: text. Only what a person reads is rounded.
"""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from analysis.statistics.resampling.wild_bootstrap import smallest_p
from study.results.files import write_whole

SHOWN = ("overall", "type")
_LATEX = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$"}


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Writes a frame whole; an empty cell means unknown, nothing is rounded."""
    write_whole(path, frame.to_csv(index=False, lineterminator="\n").encode())


def number(value: float, digits: int = 2) -> str:
    """A correlation as papers print it: no zero before the point.

    >>> number(0.8712), number(-0.5), number(float("nan"))
    ('.87', '-.50', '--')
    """
    if math.isnan(value):
        return "--"
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if abs(float(text)) < 1 else text


def probability(value: float) -> str:
    """A p-value as papers print it.

    >>> probability(0.0312), probability(0.0000002)
    ('.031', '<.001')
    """
    return "<.001" if value < 0.001 else number(value, 3)


def headline(frame: pd.DataFrame, *, coefficient: str = "pearson") -> pd.DataFrame:
    """The rows across pairs, as measured."""
    return frame[
        (frame["estimand"] == "across_pairs")
        & (frame["corrected"] == "none")
        & (frame["coefficient"] == coefficient)
    ]


def without_error(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows corrected for measurement error that stand beside the headline: those with the least
    noise; `halves` is the check of them."""
    return frame[~frame["corrected"].isin(["none", "halves"])]


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    return headline(frame)[headline(frame)["level"].isin(SHOWN)]


def _spearman(frame: pd.DataFrame, row: pd.Series) -> float:
    return _beside(headline(frame, coefficient="spearman"), row)


def _corrected(frame: pd.DataFrame, row: pd.Series) -> float:
    return _beside(without_error(frame), row)


def _beside(rows: pd.DataFrame, row: pd.Series) -> float:
    """The estimate, among other rows, for the same scores; nan if there is none."""
    about = ["contrast", "level", "task_type", "task"]
    found = rows.loc[(rows[about] == row[about]).all(axis=1), "estimate"]
    return float(found.iloc[0]) if len(found) else math.nan


def latex(frame: pd.DataFrame) -> str:
    """A booktabs table of the overall and the types' correlations, a block for each contrast."""
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{tabular}{llrrrrrr}",
        "\\toprule",
        "Contrast & Tasks & Pairs (families) & $r$ & 95\\,\\% CI & $p$ (adj.) & "
        "corrected $r$ & $\\rho$ \\\\",
    ]
    shown = _shown(frame)
    for contrast, block in shown.groupby("contrast", sort=False):
        lines.append("\\midrule")
        for i, (_, row) in enumerate(block.iterrows()):
            ends = f"[{number(row['low'])}, {number(row['high'])}]"
            cells = [
                _escaped(str(contrast)) if i == 0 else "",
                _escaped(row["task_type"] or "all"),
                f"{row['n_pairs']} ({row['n_families']})",
                _math(number(row["estimate"])),
                _math(ends) if not math.isnan(row["low"]) else "--",
                _math(probability(row["p_adjusted"])),
                _math(number(_corrected(frame, row))),
                _math(number(_spearman(frame, row))),
            ]
            lines.append(" & ".join(cells) + " \\\\")
    lines += ["\\bottomrule", "\\end{tabular}"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def _math(text: str) -> str:
    return text if text == "--" else f"${text}$"


def summary(frame: pd.DataFrame) -> str:
    """The same for the terminal, and the overall results as a sentence each."""
    lines = []
    for contrast, block in _shown(frame).groupby("contrast", sort=False):
        first = block.iloc[0]
        lines.append(f"{contrast}: {first['x_arm']} (x) against {first['y_arm']} (y), across pairs")
        lines.append(
            f"  {'tasks':<16}{'pairs':>6}{'fam.':>6}{'r':>7}   {'95 % CI':<14}{'p (adj.)':>9}"
            f"{'corr. r':>9}{'rho':>7}"
        )
        for _, row in block.iterrows():
            ends = f"[{number(row['low'])}, {number(row['high'])}]"
            lines.append(
                f"  {row['task_type'] or 'all':<16}{row['n_pairs']:>6}{row['n_families']:>6}"
                f"{number(row['estimate']):>7}   {ends:<14}{probability(row['p_adjusted']):>9}"
                f"{number(_corrected(frame, row)):>9}{number(_spearman(frame, row)):>7}"
                f"{'   ' + row['note'] if row['note'] else ''}"
            )
        lines.append("")
    if len(frame):
        families = int(headline(frame)["n_families"].min())
        least = probability(smallest_p(families))
        lines.append(
            f"p: wild cluster restricted bootstrap; {families} families give {least} at least"
        )
        lines += ["corr. r: without measurement error", ""]
    return "\n".join(lines)
