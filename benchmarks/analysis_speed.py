"""How long the analysis takes, and how its resampling compares with scipy's.

    python -P benchmarks/analysis.py             # -P: lest this file be taken for the package

Prints: every table of 64 pairs on 20 tasks; 2,000 resamplings of families for the correlations of
20 tasks, against `scipy.stats.bootstrap` called task by task on the same draws (answers compared);
10 million items read from a run's files and summarised, and the memory that took. Exits with 1 if
answers disagree.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from analysis.data.families import Families
from analysis.data.items import Answers, ItemScores, load_items
from analysis.data.points import groups
from analysis.data.scores import load_scores
from analysis.statistics.disattenuation.error_variance import corrected
from analysis.statistics.items.sampling import standard_error
from analysis.statistics.resampling.bca import correlations_of_counts
from analysis.tables.agreement import overlap
from analysis.tables.cell_model import cell_models
from analysis.tables.correlations import correlations
from analysis.tables.robustness.checks import robustness
from analysis.tables.summaries import summaries
from study.config.analysis import Contrast
from study.config.study import read_study
from study.results.cell_store.store import Cells
from study.results.ledger import VERSION
from study.results.schema import SCORES

PAIRS, FAMILIES, TASKS, ITEMS, DRAWS = 64, 18, 20, 500, 2_000
MANY = 2_605
"Items of a cell where all cells together are to have ten million."
X, CONTROL, Y = "base-5shot", "base-0shot", "tuned-0shot-chat"


def made(rng: np.random.Generator, items: int) -> tuple[pd.DataFrame, ItemScores, Families]:
    """Scores and items of three arms."""
    ability = rng.normal(0.6, 0.1, PAIRS)
    labels = [f"f{i}" for i in rng.integers(0, FAMILIES, PAIRS)]
    names = tuple(f"p{i}" for i in range(PAIRS))
    rows, arrays = [], {}
    for task in range(TASKS):
        for arm in (X, CONTROL, Y):
            own = np.clip(ability + rng.normal(0, 0.05, PAIRS), 0.05, 0.95)
            right = (rng.random((PAIRS, 1, items)) < own[:, None, None]).astype(float)
            arrays[arm, f"t{task}"] = Answers(names, np.arange(items), right)
            for i, name in enumerate(names):
                rows.append(
                    {"pair": name, "family": labels[i], "params_b": 1.0 + i % 8, "model": arm,
                     "role": arm.split("-")[0], "arm": arm, "task": f"t{task}",
                     "task_type": f"type{task % 5}", "exposure": "", "draw": None,
                     "score": right[i].mean(), "stderr": standard_error(right[i, 0]),
                     "n_items": items, "chance": 0.25, "metric": "acc", "source": "made"}
                )  # fmt: skip
    frame = pd.DataFrame(rows)[list(SCORES)].astype(SCORES)
    return frame, ItemScores(arrays), Families.of(labels)


def whole(scores: pd.DataFrame, items: ItemScores) -> float:
    """Seconds for every table."""
    contrasts = [Contrast(name="icl", x=X, y=Y), Contrast(name="control", x=CONTROL, y=Y)]
    start = time.perf_counter()
    correlations(scores, contrasts, items=items)
    robustness(scores, contrasts)
    summaries(scores, contrasts)
    cell_models(scores, contrasts, items=items)
    overlap(scores, contrasts, items)
    return time.perf_counter() - start


def resampling(scores: pd.DataFrame, families: Families) -> tuple[float, float, float]:
    """Seconds of ours and of scipy's, and how far the replicates lie apart."""
    wide = scores.pivot(index="pair", columns=["arm", "task"], values="score")
    wide = wide.loc[[f"p{i}" for i in range(PAIRS)]]
    x, y = wide[X].to_numpy().T, wide[Y].to_numpy().T
    members = [np.flatnonzero(row) for row in families.members()]
    groups = families.count

    start = time.perf_counter()
    theirs = []
    for a, b in zip(x, y, strict=True):

        def statistic(ids: np.ndarray, a: np.ndarray = a, b: np.ndarray = b) -> float:
            chosen = np.concatenate([members[i] for i in ids])
            return float(np.corrcoef(a[chosen], b[chosen])[0, 1])

        found = stats.bootstrap(
            (np.arange(groups),), statistic, n_resamples=DRAWS, vectorized=False,
            method="percentile", rng=np.random.default_rng(0),
        )  # fmt: skip
        theirs.append(found.bootstrap_distribution)
    scipys = time.perf_counter() - start

    # The families that scipy drew from that seed, as counts.
    drawn = np.random.default_rng(0).integers(0, groups, (DRAWS, groups))
    counts = np.stack([np.bincount(row, minlength=groups) for row in drawn]).astype(float)
    start = time.perf_counter()
    ours = correlations_of_counts(x, y, families, counts)
    return time.perf_counter() - start, scipys, float(np.nanmax(np.abs(ours - np.stack(theirs).T)))


def run_of_many_items(folder: Path, rng: np.random.Generator) -> int:
    """A run's files as `study run` leaves them, three arms of 64 pairs on 20 tasks; returns the
    number of items in them. Contents repeat after 40 cells, which reading does not know."""
    arms = (X, CONTROL, Y)
    contrast = {"name": "icl", "x": X, "y": Y}
    named = [{"task": f"t{t}", "task_type": f"type{t % 5}", "metric": "acc", "chance": 0.25}
             for t in range(TASKS)]  # fmt: skip
    listed = [{"base": "b", "tuned": "t", "family": "f", "params_b": 1.0}]
    content = {"name": "many", "pairs": listed, "arms": list(arms), "tasks": named,
               "contrasts": [contrast]}  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(json.dumps(content))
    cells = Cells(folder)
    made = []
    for _ in range(40):
        logprobs = np.log(rng.dirichlet(np.ones(4), MANY))
        gold = rng.integers(0, 4, MANY)
        made.append([
            {"item": i, "gold": str(gold[i]), "score": float(logprobs[i].argmax() == gold[i]),
             "logprobs": logprobs[i].tolist(), "lengths": [5, 6, 7, 8], "text": None,
             "prompt_hash": f"{i:064x}", "shots": 5, "truncated": False}
            for i in range(MANY)
        ])  # fmt: skip
    rows = []
    for pair in range(PAIRS):
        for arm in arms:
            for task in named:
                key = f"{len(rows):064x}"
                items = made[len(rows) % len(made)]
                score = float(np.mean([item["score"] for item in items]))
                record = {"score": score, "stderr": 0.01, "n_items": MANY}
                cells.write(key, record, items)
                rows.append({"pair": f"p{pair}", "family": f"f{pair % FAMILIES}", "params_b": 1.0,
                             "model": "m", "role": arm.split("-")[0], "arm": arm, **task,
                             "exposure": "", "draw": None, "key": key})  # fmt: skip
    ledger = {"version": VERSION, "study": read_study(folder).digest(), "rows": rows,
              "passages": {}}  # fmt: skip
    (folder / "results" / "plan.json").write_text(json.dumps(ledger))
    return len(rows) * MANY


def summarise(folder: Path) -> None:
    """Scores and items read and checked against their digests; errors, reliabilities and the
    agreement of base and tuned, of every task."""
    scores, items = load_scores(folder), load_items(folder)
    contrast = read_study(folder).contrasts[0]
    for group in groups(scores, x_arm=contrast.x, y_arm=contrast.y):
        if group.level == "task":
            corrected(group, items=items)
    overlap(scores, [contrast], items)


def main() -> int:
    """Prints all three."""
    rng = np.random.default_rng(0)
    scores, items, families = made(rng, ITEMS)
    print(f"all tables of {PAIRS} pairs x {TASKS} tasks, 2 contrasts: {whole(scores, items):.1f} s")
    bare = whole(scores, ItemScores({}))
    print(f"the same by standard errors, without item scores: {bare:.1f} s")
    ours, scipys, apart = resampling(scores, families)
    print(
        f"{DRAWS} resamplings of {FAMILIES} families, {TASKS} tasks: {ours:.3f} s, scipy task by "
        f"task {scipys:.2f} s, {scipys / ours:.0f}x; replicates apart by {apart:.1e} at most"
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        print("writing ten million items …", flush=True)
        rows = run_of_many_items(folder, rng)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        start = time.perf_counter()
        summarise(folder)
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{rows} items read from {rows // MANY} cells and summarised in {seconds:.1f} s; peak "
        f"memory {peak:.2f} GiB (before {before:.2f})"
    )
    return 0 if apart < 1e-9 else 1


if __name__ == "__main__":
    sys.exit(main())
