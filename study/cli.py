"""The command `study`: plan, run and analyse a study; build the zoo.

Every command takes RUN, a folder that holds `study.yaml`. What is wrong with the input is said in
one sentence and the exit code is 2; when some cells failed, it is 1. Heavy libraries are imported
where they are needed, so that help answers at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from study.errors import StudyError

app = typer.Typer(
    help="Compare what base models do with demonstrations and tuned models do without.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
zoo_app = typer.Typer(help="The small world of tiny models.", no_args_is_help=True)
app.add_typer(zoo_app, name="zoo")

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A folder that holds study.yaml.")]


def main() -> None:
    """Runs the command; a StudyError becomes one line and exit code 2."""
    try:
        app()
    except StoppedError:
        print("stopped; the same command continues", file=sys.stderr)
        sys.exit(128 + signal.SIGTERM)
    except StudyError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def say(what: str) -> None:
    """A word about what is happening, on standard error."""
    print(what, file=sys.stderr, flush=True)


class StoppedError(BaseException):
    """Asked to end by SIGTERM; not an error that anything on the way may catch."""


def _stop(number: int, frame: object) -> None:
    """Unwinds the stack, so that workers are ended on the way."""
    raise StoppedError


@app.command()
def plan(
    run: Run,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Print what a study would run: cells, jobs, what is done, tokens and time."""
    from study.planning import planned
    from study.reporting import plan_json, plan_text

    state = planned(run, on_step=(lambda what: None) if as_json else say)
    print(json.dumps(plan_json(state), indent=1) if as_json else plan_text(state))


@app.command(name="run")
def run_study(
    run: Run,
    device: Annotated[
        list[str] | None,
        typer.Option(help="A device for one worker, such as cuda:0 or cpu; may be repeated. "
                     "By default every GPU, or a CPU worker per core."),
    ] = None,
    stall_minutes: Annotated[
        float, typer.Option(min=0.01, help="A worker not heard of for so long is killed, and its "
                            "model tried again.")
    ] = 60.0,
) -> None:  # fmt: skip
    """Run what is left of a study; the same command continues after any interruption."""
    from study.compaction import mend
    from study.planning import planned, run_planned
    from study.progress import show

    signal.signal(signal.SIGTERM, _stop)
    for damage in mend(run):
        say(f"damaged, and computed anew: {damage}")
    state = planned(run, on_step=say)
    failures = show(run_planned(state, device, stall_seconds=60 * stall_minutes), state, say)
    for failure in failures:
        say(f"failed: {failure}")
    if failures:
        say(f"{len(failures)} failed; mend the causes and run the same command again")
        raise typer.Exit(1)


@app.command(name="import")
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
    from study.contract import ROLES
    from study.design import read_study
    from study.imports import write_import
    from study.lm_eval_form import Given, read_lm_eval
    from study.long_form import read_long_form

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


@app.command()
def compact(run: Run) -> None:
    """Gather a study's finished cells into few files. Needs no torch."""
    from rich.console import Console
    from rich.progress import track

    from study.compaction import compact as gather
    from study.design import read_study
    from study.store import Cells

    read_study(run)
    number = len(Cells(run).loose())
    console = Console(stderr=True)
    steps = iter(track(range(number), "packing", console=console, disable=not console.is_terminal))
    moved = gather(run, on_cell=lambda: next(steps, None))
    say(f"{moved} cells packed, {len(Cells(run).done())} in all")


@app.command()
def export(
    run: Run,
    folder: Annotated[Path, typer.Argument(help="Where to; made if it is not there.")],
) -> None:
    """Write a study's scores in the long form and in lm-eval's own. Needs no torch."""
    from analysis.frame import load_scores
    from study.export import export as write

    files = write(load_scores(run), folder)
    say(f"{len(files)} files in {folder}")


@app.command()
def power(
    run: Run,
    intra_family: Annotated[
        float, typer.Option(min=0, max=1, help="Correlation of pairs within a family.")
    ] = 0.5,
) -> None:
    """Print what a study's pairs and items could show, before anything is computed."""
    from analysis.families import Families
    from analysis.power import power as of
    from study.design import read_study
    from study.pairs import study_pairs
    from study.suites import study_tasks

    study = read_study(run)
    families = Families.of([pair.family for pair in study_pairs(study, run)])
    known = [task.items or 1000 for task in study_tasks(study, run)]
    items = sum(min(n, study.limit or n) for n in known)
    print(of(families, items=items, intra_family=intra_family).text())


@app.command()
def analyze(run: Run) -> None:
    """Correlate base and tuned scores; write tables and figures. Needs no torch."""
    from analysis.run import analyze_run

    print(analyze_run(run, on_step=say))


@zoo_app.command()
def build(
    member: Annotated[list[str] | None, typer.Argument(help="Only these members.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Members trained side by side.")] = (
        os.cpu_count() or 1
    ),
) -> None:
    """Train every zoo model anew from its recipe, where it does not stand yet; write its tasks."""
    from study.zoo.command import build_zoo

    build_zoo(member, processes, say)


Say = Callable[[str], Any]

if __name__ == "__main__":
    main()
