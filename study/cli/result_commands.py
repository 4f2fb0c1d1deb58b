"""Commands that import scores, analyse them and export them. None of them needs torch.

In: a run folder. Out: imported scores, tables, figures, files in other formats.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.cli.arguments import RunFolder, begin
from study.cli.output import output, say
from study.errors import StudyError

ASSUMED_ITEMS = 1000
"Items of a task whose number the suite does not give."


def import_scores(
    run: RunFolder,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…",
            help="CSV files with the columns of scores.csv, or results_*.json files of lm-eval or "
            "folders of them.",
        ),
    ],
    pair: Annotated[
        str,
        typer.Option(
            show_default=False,
            help="Name of the pair, for lm-eval results of a model that neither the study nor the "
            "registry lists.",
        ),
    ] = "",
    role: Annotated[str, typer.Option(show_default=False, help="With --pair: base or tuned.")] = "",
    family: Annotated[
        str, typer.Option(show_default=False, help="With --pair: the model family.")
    ] = "",
    params_b: Annotated[
        float, typer.Option(show_default=False, help="With --pair: billions of parameters.")
    ] = float("nan"),
    score_range: Annotated[
        tuple[float, float],
        typer.Option(
            "--range",
            metavar="LOWEST HIGHEST",
            help="Range of the scores whose metric has no known range, such as -1 1 for a metric "
            "corrected for chance.",
        ),
    ] = (0.0, 1.0),
) -> None:
    """Import scores from a CSV file or from lm-eval results."""
    begin(run)
    from study.exchange.lm_eval_models import given_pair
    from study.exchange.read_csv import read_csv
    from study.exchange.read_lm_eval import read_lm_eval
    from study.exchange.score_ranges import ScoreRanges
    from study.results.imported import check_import, write_import
    from study.results.run import Run
    from study.tasks.prompt_forms import check_arms

    opened = Run.open(run)
    check_arms(opened.study)
    ranges = ScoreRanges.of(opened.study, score_range)
    given = given_pair(pair, role, family, params_b)
    sources = list(opened.imports)
    for file in files:
        is_csv = file.suffix.lower() == ".csv"
        if is_csv and given is not None:
            raise StudyError("--pair", found=f"{file}", expected="lm-eval results with it")
        imported = (
            read_csv(file, opened.study, ranges)
            if is_csv
            else read_lm_eval(file, opened.study, ranges, given)
        )
        check_import(imported, sources)
        sources.append(imported)
    # All are valid, so all are written.
    for imported in sources[len(opened.imports) :]:
        write_import(opened.results / "imports", imported, opened.imports)
        n_pairs = imported.rows["pair"].nunique()
        say(f"{imported.origin}: {len(imported.rows)} scores of {n_pairs} pairs")


def export(
    run: RunFolder,
    folder: Annotated[
        Path, typer.Argument(help="Folder to write to: a new one, or one without files.")
    ],
    for_spreadsheets: Annotated[
        bool,
        typer.Option(
            "--for-spreadsheets",
            help="Put an apostrophe before texts of scores.csv that a spreadsheet would take for "
            "formulas.",
        ),
    ] = False,
) -> None:
    """Write a study's scores as CSV files and as lm-eval results."""
    begin(run)
    from analysis.data.scores import load_scores
    from study.exchange.export import export as export_scores
    from study.results.run import Run

    scores = load_scores(Run.open(run))
    files = export_scores(scores, folder, for_spreadsheets=for_spreadsheets)
    say(f"{len(files)} files in {folder}")


def power(
    run: RunFolder,
    intra_family: Annotated[
        float, typer.Option(min=0, max=1, help="Correlation between pairs of one family.")
    ] = 0.5,
) -> None:
    """Power analysis: the smallest correlation this study could detect."""
    begin(run)
    from analysis.statistics.families import Families
    from analysis.statistics.power import power as power_of
    from study.models.pairs import study_pairs
    from study.results.run import Run
    from study.tasks.suites import study_tasks

    study = Run.open(run).study
    families = Families.of([pair.family for pair in study_pairs(study)])
    sizes = [task.items or ASSUMED_ITEMS for task in study_tasks(study)]
    items = sum(min(size, study.limit or size) for size in sizes)
    output(power_of(families, items=items, intra_family=intra_family).text())


def analyze(run: RunFolder) -> None:
    """Correlate base and tuned scores; write tables and figures."""
    begin(run)
    from analysis.pipeline import analyze_run
    from study.results.run import Run
    from study.tasks.prompt_forms import check_arms

    opened = Run.open(run)
    check_arms(opened.study)
    output(analyze_run(opened, on_step=say))
