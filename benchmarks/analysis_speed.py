"""How long the analysis takes, and how its resampling compares with scipy's.

    python benchmarks/analysis_speed.py

Printed are the CPU time of every table of 64 pairs on 20 tasks of 500 items; the time of 2,000
resamples of families for the correlations of 20 tasks, against `scipy.stats.bootstrap` called task
by task on the same draws (replicates compared); and of reading 10 million items from a run's files
and summarising them, with the memory used. Exits with 1 if replicates disagree.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from workloads.finished_cells import grid_rows, grid_run, write_finished_cells
from workloads.scores import generate_scores

from analysis.data.error_variance import group_error_variance
from analysis.data.items import ItemScores, load_items
from analysis.data.points import groups
from analysis.data.scores import load_scores
from analysis.statistics.disattenuation.disattenuate import disattenuate
from analysis.statistics.families import Families
from analysis.statistics.resampling.bca import correlations_of_counts
from analysis.tables.agreement import item_agreement
from analysis.tables.cell_model import cell_models
from analysis.tables.correlations import correlations
from analysis.tables.robustness.checks import robustness
from analysis.tables.summaries import summaries
from study.config.analysis import Contrast
from study.results.run import Run

X, CONTROL, Y = "base-5shot", "base-0shot", "tuned-0shot-chat"
ARMS = (X, CONTROL, Y)
TOLERANCE = 1e-9
"Largest difference of replicates."


@dataclass(frozen=True)
class Scale:
    """Sizes of the data."""

    pairs: int
    families: int
    tasks: int
    items: int
    resamples: int
    cell_items: int
    "Items of a cell in the run that is read."


FULL = Scale(64, 18, 20, 500, 2_000, 2_605)
SMOKE = Scale(12, 5, 2, 30, 50, 20)


def time_tables(scores: pd.DataFrame, items: ItemScores) -> dict[str, float]:
    """CPU seconds for every table of two contrasts."""
    contrasts = [Contrast(name="icl", x=X, y=Y), Contrast(name="control", x=CONTROL, y=Y)]
    tables = {
        "correlations": lambda: correlations(scores, contrasts, items=items),
        "robustness": lambda: robustness(scores, contrasts),
        "summaries": lambda: summaries(scores, contrasts),
        "cell_model": lambda: cell_models(scores, contrasts, items=items),
        "agreement": lambda: item_agreement(scores, contrasts, items),
    }
    seconds = {}
    for name, table in tables.items():
        start = time.process_time()
        table()
        seconds[name] = time.process_time() - start
    return seconds


def _sum_and_parts(seconds: dict[str, float]) -> str:
    parts = ", ".join(f"{name} {value:.2f}" for name, value in seconds.items())
    return f"{sum(seconds.values()):.1f} s CPU ({parts})"


def compare_resampling(
    scores: pd.DataFrame, families: Families, resamples: int
) -> tuple[float, float, float]:
    """Seconds of ours and of scipy's resampling, and the largest difference of replicates."""
    wide = scores.pivot(index="pair", columns=["arm", "task"], values="score")
    wide = wide.loc[[f"p{i}" for i in range(len(families.labels))]]
    x, y = wide[X].to_numpy().T, wide[Y].to_numpy().T
    members = [np.flatnonzero(row) for row in families.members()]
    count = families.count

    start = time.perf_counter()
    theirs = []
    for a, b in zip(x, y, strict=True):

        def statistic(ids: np.ndarray, a: np.ndarray = a, b: np.ndarray = b) -> float:
            chosen = np.concatenate([members[i] for i in ids])
            return float(np.corrcoef(a[chosen], b[chosen])[0, 1])

        result = stats.bootstrap(
            (np.arange(count),),
            statistic,
            n_resamples=resamples,
            vectorized=False,
            method="percentile",
            rng=np.random.default_rng(0),
        )
        theirs.append(result.bootstrap_distribution)
    scipy_seconds = time.perf_counter() - start

    # The families that scipy drew with this seed, as counts.
    drawn = np.random.default_rng(0).integers(0, count, (resamples, count))
    counts = np.stack([np.bincount(row, minlength=count) for row in drawn]).astype(float)
    start = time.perf_counter()
    ours = correlations_of_counts(x, y, families, counts)
    seconds = time.perf_counter() - start
    return seconds, scipy_seconds, float(np.nanmax(np.abs(ours - np.stack(theirs).T)))


def summarise(run: Run) -> None:
    """Read scores and items, checked against their digests; disattenuate and compare each task."""
    scores, items = load_scores(run), load_items(run)
    contrast = run.study.contrasts[0]
    for group in groups(scores, x_arm=contrast.x, y_arm=contrast.y):
        errors = group_error_variance(group, items)
        if group.level == "task" and errors is not None:
            disattenuate(group.x.mean(1), group.y.mean(1), group.families, errors)
    item_agreement(scores, [contrast], items)


def time_reading(folder: Path, scale: Scale) -> None:
    """Print the time and the memory of reading and summarising many items."""
    run = grid_run(folder, ARMS, scale.tasks)
    rows = grid_rows(ARMS, scale.pairs, scale.families, scale.tasks)
    print(f"writing {len(rows) * scale.cell_items} items …", flush=True)
    write_finished_cells(run, rows, scale.cell_items)
    before = _peak_memory()
    start = time.perf_counter()
    summarise(run)
    seconds = time.perf_counter() - start
    print(
        f"{len(rows) * scale.cell_items} items read from {len(rows)} cells and summarised in "
        f"{seconds:.1f} s; peak memory {_peak_memory():.2f} GiB (before {before:.2f})"
    )


def _peak_memory() -> float:
    """Peak memory of this process in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> int:
    """Print all three; 0 if replicates agree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="the smallest size, in seconds")
    scale = SMOKE if parser.parse_args().smoke else FULL
    scores, items, families = generate_scores(
        np.random.default_rng(0),
        arms=ARMS,
        pairs=scale.pairs,
        families=scale.families,
        tasks=scale.tasks,
        items=scale.items,
    )
    seconds = _sum_and_parts(time_tables(scores, items))
    print(
        f"tables of {scale.pairs} pairs x {scale.tasks} tasks with {scale.items} items each, "
        f"2 contrasts: {seconds}"
    )
    seconds = _sum_and_parts(time_tables(scores, ItemScores({})))
    print(f"the same from standard errors, without item scores: {seconds}")
    ours, scipy_seconds, difference = compare_resampling(scores, families, scale.resamples)
    print(
        f"{scale.resamples} resamples of {scale.families} families, {scale.tasks} tasks: "
        f"{ours:.3f} s, scipy task by task {scipy_seconds:.2f} s, {scipy_seconds / ours:.0f}x; "
        f"replicates differ by {difference:.1e} at most"
    )
    with tempfile.TemporaryDirectory() as temporary:
        time_reading(Path(temporary) / "run", scale)
    return 0 if difference < TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
