"""Writing scores for others: a CSV file, and lm-eval's own form of results.

In: scores with the columns of `schema.SCORES`. Out: `scores.csv`, and one folder per model with a
`results_*.json` for each arm and draw, with the keys that lm-eval 0.4.x writes. Every score is in a
file of its own model, whatever the model is called, and nothing is written outside the folder.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from study.config.arms import arm_or_none
from study.errors import StudyError
from study.results.files import write_whole
from study.results.schema import SCORES

COMPUTED = {"study": "shared-prefix"}
"lm-eval's name of the model type, by the `source` of scores that the study computed."
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"First characters of texts that spreadsheets take for formulas."
MAX_FOLDER_NAME = 120
FILE = ["arm", "draw", "source", "copy"]
"Columns that, with the model, identify a file of results."
Owner = tuple[str, str, str]
"A model's name; where it has none, its pair and role instead."


def export(scores: pd.DataFrame, folder: Path, *, for_spreadsheets: bool = False) -> list[Path]:
    """Write both forms; returns the files.

    `for_spreadsheets` puts an apostrophe before texts that a spreadsheet would execute. StudyError
    if the folder has files already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StudyError(
            folder, found="files in it", expected="a new or an empty folder", do="Name another one"
        )
    table = neutralised(scores) if for_spreadsheets else scores
    files = {folder / "scores.csv": table.to_csv(index=False, lineterminator="\n")}
    owners = [_owner(row) for row in scores.to_dict("records")]
    owned = scores.assign(owner=pd.Series(owners, index=scores.index, dtype=object))
    models = _distinct_names({owner: _folder_name(owner) for owner in owned["owner"]})
    for owner, rows in owned.groupby("owner", sort=True):
        by_file = dict(list(_numbered(rows).groupby(FILE, dropna=False, sort=True)))
        names = _distinct_names({key: _file_name(key) for key in by_file})
        for key, rows_of_file in by_file.items():
            content = json.dumps(_results(rows_of_file), indent=2) + "\n"
            files[folder / models[owner] / f"{names[key]}.json"] = content
    for path, text in files.items():
        write_whole(path, text.encode())
    return list(files)


def neutralised(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores whose texts no spreadsheet takes for formulas."""
    changed = scores.copy()
    for name in (name for name, kind in SCORES.items() if kind == "str"):
        texts = [f"'{text}" if text.startswith(FORMULA) else text for text in changed[name]]
        changed[name] = pd.array(texts, dtype="str")
    return changed


def _owner(row: Mapping[Hashable, Any]) -> Owner:
    return (row["model"], "", "") if row["model"] else ("", row["pair"], row["role"])


def _numbered(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows without repetitions, which a base has in each of its pairs; `copy` counts scores of one
    model on one task that differ, so that each has its own file."""
    shared = ["pair", "family", "params_b", "role", "exposure"]
    distinct = rows.drop_duplicates([name for name in SCORES if name not in shared])
    return distinct.assign(copy=distinct.groupby([*FILE[:-1], "task"], dropna=False).cumcount())


def _results(rows: pd.DataFrame) -> dict[str, Any]:
    first = rows.iloc[0]
    arm = arm_or_none(first["arm"])
    shots = arm.shots if arm else None
    template = arm is not None and arm.template
    source = first["source"]
    tasks = rows.set_index("task")
    return {
        "results": {task: _task(row) for task, row in tasks.iterrows()},
        "configs": {
            task: {
                "task": task,
                "num_fewshot": shots,
                "metadata": {"chance": _or_none(row["chance"], float)},
            }
            for task, row in tasks.iterrows()
        },
        "n-shot": dict.fromkeys(tasks.index, shots),
        "n-samples": {
            task: {"original": int(n), "effective": int(n)}
            for task, n in tasks["n_items"].dropna().items()
        },
        "config": {
            "model": COMPUTED.get(source, source),
            "model_args": {"pretrained": first["model"] or None},
            "arm": first["arm"],
            "draw": _or_none(first["draw"], int),
            "source": source,
        },
        "model_name": first["model"],
        "fewshot_as_multiturn": arm.multiturn if arm and template else None,
        "chat_template": "the model's own" if template else None,
    }


def _task(row: pd.Series) -> dict[str, Any]:
    metric, _, filtered = str(row["metric"]).partition(",")
    metric, suffix = metric or "score", filtered or "none"
    stderr = _or_none(row["stderr"], float)
    return {
        "alias": str(row.name),
        f"{metric},{suffix}": float(row["score"]),
        f"{metric}_stderr,{suffix}": "N/A" if stderr is None else stderr,
    }


def _or_none(value: Any, kind: type) -> Any:
    return None if pd.isna(value) else kind(value)


def _folder_name(owner: Owner) -> str:
    """A model's folder as lm-eval names it."""
    model, pair, role = owner
    return re.sub(r"[\"<>:/|\\?*\[\]]+", "__", model or f"{pair}/{role}")


def _file_name(key: tuple[Any, ...]) -> str:
    arm, draw, _, copy = key
    parts = [f"results_{arm}", "" if pd.isna(draw) else f"draw{draw}", str(copy + 1) * bool(copy)]
    return "_".join(filter(None, parts))


def _distinct_names(names: Mapping[Any, str]) -> dict[Any, str]:
    """Names of files by what they hold, safe as a part of a path, and no two alike.

    A name that is not, or that another has in capital or small letters, gets a digest.
    """
    safe = {key: _safe(name) for key, name in names.items()}
    folded = [name.casefold() for name in safe.values()]
    distinct = {}
    for key, name in safe.items():
        if name != names[key] or folded.count(name.casefold()) > 1:
            digest = hashlib.sha256(repr(key).encode("utf-8", "backslashreplace")).hexdigest()
            name = f"{name}-{digest[:8]}"
        distinct[key] = name
    return distinct


def _safe(name: str) -> str:
    """A name that is one visible part of a path on every system."""
    printing = "".join(char if char.isprintable() else "_" for char in name)
    short = printing.encode()[:MAX_FOLDER_NAME].decode(errors="ignore")
    return short.strip(" .").lstrip("-~") or "unnamed"
