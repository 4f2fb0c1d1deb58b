"""Commands that take scores in and give results out. None of them needs torch.

In: a run's folder. Out: imported scores, tables, figures, files in other forms.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.cli.arguments import Run, say
from study.errors import StudyError


def import_scores(
    run: Run,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="CSV files in the form of scores.csv, or folders and "
                       "results_*.json of lm-eval."),
    ],
    pair: Annotated[str, typer.Option(show_default=False, help="Name of the pair, for lm-eval "
                     "results of a model that neither the study nor the registry knows.")] = "",
    role: Annotated[str, typer.Option(show_default=False, help="With --pair: base or tuned.")] = "",
    family: Annotated[str, typer.Option(show_default=False, help="With --pair: its family.")] = "",
    params_b: Annotated[
        float, typer.Option(show_default=False, help="With --pair: 10⁹ parameters.")
    ] = float("nan"),
) -> None:  # fmt: skip
    """Take scores that were measured elsewhere into a study. Needs no torch."""
    from study.config.study import read_study
    from study.exchange.read_csv import read_long_form
    from study.exchange.read_lm_eval import Given, read_lm_eval
    from study.results.imported import write_import
    from study.results.schema import ROLES

    study = read_study(run)
    given = Given(pair, role, family, params_b) if pair else None
    if given and (role not in ROLES or not family):
        raise StudyError("--pair", found=f"--role {role!r} and --family {family!r}",
                         expected="with it --role base or tuned, and --family")  # fmt: skip
    for file in files:
        if file.suffix == ".csv":
            imported = read_long_form(file)
        else:
            imported = read_lm_eval(file, study, run, given)
        write_import(run, imported)
        say(f"{file}: {len(imported.rows)} scores of {imported.rows['pair'].nunique()} pairs")


def export(
    run: Run,
    folder: Annotated[Path, typer.Argument(help="Where to; made if it is not there.")],
) -> None:
    """Write a study's scores in the long form and in lm-eval's own. Needs no torch."""
    from analysis.data.scores import load_scores
    from study.exchange.export import export as write

    files = write(load_scores(run), folder)
    say(f"{len(files)} files in {folder}")


def power(
    run: Run,
    intra_family: Annotated[
        float, typer.Option(min=0, max=1, help="Correlation of pairs within a family.")
    ] = 0.5,
) -> None:
    """Print what a study's pairs and items could show, before anything is computed."""
    from analysis.data.families import Families
    from analysis.statistics.power import power as of
    from study.config.study import read_study
    from study.models.pairs import study_pairs
    from study.tasks.suites import study_tasks

    study = read_study(run)
    families = Families.of([pair.family for pair in study_pairs(study, run)])
    known = [task.items or 1000 for task in study_tasks(study, run)]
    items = sum(min(n, study.limit or n) for n in known)
    print(of(families, items=items, intra_family=intra_family).text())


def analyze(run: Run) -> None:
    """Correlate base and tuned scores; write tables and figures. Needs no torch."""
    from analysis.pipeline import analyze_run

    print(analyze_run(run, on_step=say))
