"""What a person reads of the tables: the terminal summary, and LaTeX for a paper.

In: data frames of tables. Out: text, with rounded numbers.
"""

from __future__ import annotations

import math

import pandas as pd

from analysis.formatting import MINUS, latex_text, number, probability
from analysis.statistics.resampling.wild_bootstrap import smallest_p
from analysis.tables.correlations import REPORTED_LEVELS, disattenuated, headline
from analysis.tables.robustness.checks import EQUIVALENCE
from analysis.tables.robustness.leave_one_out import WITHOUT

_KEYS = ["contrast", "level", "task_type", "task"]


def latex(correlations: pd.DataFrame) -> str:
    """Format the overall and the types' correlations as a booktabs table, a block per contrast."""
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{tabular}{llrrrrrr}",
        "\\toprule",
        "Contrast & Tasks & Pairs (families) & $r$ & 95\\,\\% CI & $p$ (adj.) & "
        "corrected $r$ & $\\rho$ \\\\",
    ]
    for contrast, block in _reported(correlations).groupby("contrast", sort=False):
        lines.append("\\midrule")
        for i, (_, row) in enumerate(block.iterrows()):
            cells = [
                latex_text(str(contrast)) if i == 0 else "",
                latex_text(row["task_type"] or "all"),
                f"{row['n_pairs']} ({row['n_families']})",
                _math(number(row["estimate"])),
                _math(_ends(row)) if not math.isnan(row["low"]) else "--",
                _math(probability(row["p_adjusted"])),
                _math(number(_disattenuated_r(correlations, row))),
                _math(number(_spearman(correlations, row))),
            ]
            lines.append(" & ".join(cells) + " \\\\")
    lines += ["\\bottomrule", "\\end{tabular}"]
    return "\n".join(lines) + "\n"


def correlations_text(correlations: pd.DataFrame) -> str:
    """Format the overall and the types' correlations of every contrast for the terminal."""
    lines = []
    for contrast, block in _reported(correlations).groupby("contrast", sort=False):
        first = block.iloc[0]
        lines.append(f"{contrast}: {first['x_arm']} (x) against {first['y_arm']} (y), across pairs")
        lines.append(
            f"  {'tasks':<16}{'pairs':>6}{'fam.':>6}{'r':>7}   {'95 % CI':<14}{'p (adj.)':>9}"
            f"{'corr. r':>9}{'rho':>7}"
        )
        for _, row in block.iterrows():
            corrected = _disattenuated_r(correlations, row)
            spearman = _spearman(correlations, row)
            lines.append(
                f"  {row['task_type'] or 'all':<16}{row['n_pairs']:>6}{row['n_families']:>6}"
                f"{number(row['estimate']):>7}   {_ends(row):<14}"
                f"{probability(row['p_adjusted']):>9}{number(corrected):>9}{number(spearman):>7}"
                f"{'   ' + row['note'] if row['note'] else ''}"
            )
        lines.append("")
    if len(correlations):
        families = int(headline(correlations)["n_families"].min())
        smallest = probability(smallest_p(families))
        lines += [
            "p: wild cluster restricted bootstrap; the smallest p attainable with "
            f"{families} families is {smallest}",
            "corr. r: disattenuated (corrected for measurement error)",
            "",
        ]
    return "\n".join(lines)


def robustness_text(robustness: pd.DataFrame) -> str:
    """Format the checks of every contrast for the terminal, of leave-one-out the range."""
    lines = []
    for contrast, block in robustness.groupby("contrast", sort=False):
        lines.append(f"{contrast}, all tasks, robustness checks")
        leave_one_out = block["check"].str.startswith(WITHOUT)
        checks = block[~leave_one_out & (block["check"] != EQUIVALENCE)]
        for _, row in checks.iterrows():
            note = "   " + row["note"].split(";")[0] if math.isnan(row["estimate"]) else ""
            lines.append(f"  {row['check']:<20}{number(row['estimate']):>6}   {_ends(row)}{note}")
        estimates = block[leave_one_out].dropna(subset="estimate").sort_values("estimate")
        if len(estimates):
            least, most = estimates.iloc[0], estimates.iloc[-1]
            lines.append(
                f"  {'leave one out':<20}{number(least['estimate']):>6} ({least['check']}) to "
                f"{number(most['estimate'])} ({most['check']})"
            )
        lines.append("")
    return "\n".join(lines)


def agreement_text(agreement: pd.DataFrame) -> str:
    """Format the first contrast's agreement, item by item, for the terminal."""
    if agreement.empty:
        return ""
    contrast = agreement["contrast"].iloc[0]
    lines = [
        f"{contrast}, item by item: share of the items tuned models solve that their bases solve "
        "too,",
        "share of all items that the base solves in no arm or draw, and error consistency κ",
        f"  {'tasks':<24}{'base too':<18}{'tuned only':>10}{'κ':>8}",
    ]
    wide = agreement[agreement["contrast"] == contrast].set_index(["group", "quantity"])
    for group in wide.index.get_level_values(0).unique():
        row = wide.loc[(group, "base_given_tuned")]
        only = wide.loc[(group, "only_tuned"), "estimate"]
        kappa = wide.loc[(group, "kappa"), "estimate"]
        share = f"{100 * row['estimate']:.0f} % [{100 * row['low']:.0f}, {100 * row['high']:.0f}]"
        lines.append(f"  {group:<24}{share:<18}{f'{100 * only:.0f} %':>10}{number(kappa):>8}")
    return "\n".join([*lines, ""])


def _reported(correlations: pd.DataFrame) -> pd.DataFrame:
    rows = headline(correlations)
    return rows[rows["level"].isin(REPORTED_LEVELS)]


def _ends(row: pd.Series) -> str:
    return f"[{number(row['low'])}, {number(row['high'])}]"


def _spearman(correlations: pd.DataFrame, row: pd.Series) -> float:
    return _same_scores(headline(correlations, coefficient="spearman"), row)


def _disattenuated_r(correlations: pd.DataFrame, row: pd.Series) -> float:
    return _same_scores(disattenuated(correlations), row)


def _same_scores(rows: pd.DataFrame, row: pd.Series) -> float:
    """The estimate of the same scores among other rows; nan if there is none."""
    estimates = rows.loc[(rows[_KEYS] == row[_KEYS]).all(axis=1), "estimate"]
    return float(estimates.iloc[0]) if len(estimates) else math.nan


def _math(text: str) -> str:
    return text if text == "--" else f"${text.replace(MINUS, '-')}$"
