"""Scores measured elsewhere, as files: a table, and results of lm-eval.

In: a folder and changes. Out: files to import; a run folder that has imported scores only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from study.config.study import Study
from study.exchange.lm_eval_models import GivenPair
from study.exchange.read_csv import read_csv
from study.exchange.read_lm_eval import read_lm_eval
from study.exchange.score_ranges import ScoreRanges
from study.results.imported import Imported, write_import
from study.results.run import Run

PUBLISHED = Study(
    name="published", contrasts=[{"name": "in-context", "x": "base-5shot", "y": "tuned-5shot"}]
)
"A study of imported scores that declares nothing."
CONTRAST = {"name": "in-context", "x": "base-5shot", "y": "tuned-5shot"}
BASE = "meta-llama/Llama-3.2-1B"


def write_imported_study(folder: Path, contrasts: list[dict[str, str]] | None = None) -> Path:
    """Write a study without pairs, arms and tasks."""
    folder.mkdir(exist_ok=True)
    content = {"name": "published", "contrasts": contrasts or [CONTRAST]}
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    return folder


def add_import(folder: Path, imported: Imported) -> Run:
    """Import a source into a run; returns the run."""
    run = Run.open(folder)
    write_import(run.results / "imports", imported, run.imports)
    return Run.open(folder)


def score_rows(**changes: Any) -> pd.DataFrame:
    """Six pairs of three families on one task; `changes` replace a column's first value."""
    rows = pd.DataFrame(
        [
            {
                "pair": f"p{i}",
                "family": f"f{i % 3}",
                "params_b": 1.0 + i,
                "role": role,
                "arm": f"{role}-5shot",
                "task": "t",
                "task_type": "facts",
                "chance": 0.25,
                "score": 0.3 + 0.1 * i + (0.03 * (i % 2) if role == "tuned" else 0.0),
            }
            for i in range(6)
            for role in ("base", "tuned")
        ]
    )
    for name, value in changes.items():
        rows[name] = rows[name].astype(object) if name in rows else None
        rows.loc[0, name] = value
    return rows


def imported_csv(path: Path, study: Study = PUBLISHED) -> Imported:
    """What `study import` reads of a CSV file."""
    return read_csv(path, study, ScoreRanges.of(study))


def imported_lm_eval(
    path: Path, study: Study = PUBLISHED, given: GivenPair | None = None
) -> Imported:
    """What `study import` reads of lm-eval's results."""
    return read_lm_eval(path, study, ScoreRanges.of(study), given)


def write_csv(folder: Path, rows: pd.DataFrame, name: str = "scores.csv") -> Path:
    """Write rows as a CSV file."""
    rows.to_csv(folder / name, index=False)
    return folder / name


def write_lm_eval_results(folder: Path, **changes: Any) -> Path:
    """Write a results file as lm-eval 0.4.13 does, of a model in the registry; `changes` replace
    its keys. Returns the folder."""
    content = {
        "results": {
            "arc_challenge": {
                "alias": "arc_challenge",
                "acc,none": 0.5,
                "acc_stderr,none": 0.01,
                "acc_norm,none": 0.55,
                "acc_norm_stderr,none": 0.01,
            }
        },
        "group_subtasks": {},
        "n-shot": {"arc_challenge": 25},
        "n-samples": {"arc_challenge": {"original": 1172, "effective": 1172}},
        "config": {"model": "hf", "model_args": {"pretrained": BASE}},
        "model_name": BASE,
        "chat_template": None,
        "fewshot_as_multiturn": True,
        "lm_eval_version": "0.4.13",
        **changes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results_2026-01-01T00-00-00.json").write_text(json.dumps(content))
    return folder
