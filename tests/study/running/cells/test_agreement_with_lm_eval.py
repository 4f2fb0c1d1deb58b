"""Every item has the score of lm-eval's own model, and lm-eval's files are imported as such."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from analysis.data.items import load_items
from analysis.data.scores import load_scores
from study.models.pairs import Pair, zoo
from study.results.run import Run
from study.zoo import TASKS
from tests.conftest import MakeRun
from tests.in_process import evaluate_all
from tests.study.commands import call

CONTRAST = {"name": "c", "x": "base-0shot", "y": "tuned-0shot"}
NAMES = ["zoo_colour_mc", "zoo_reverse_mc"]


@pytest.fixture
def pair() -> Pair:
    return next(pair for pair in zoo() if pair.name == "llama-early-xs")


@pytest.fixture
def run(make_run: MakeRun, pair: Pair) -> Run:
    """The pair evaluated here, without demonstrations and chat template."""
    return evaluate_all(
        make_run(
            "ours",
            pairs=[{"source": "zoo", "pair": [pair.name]}],
            limit=240,
            arms=["base-0shot", "tuned-0shot"],
            contrasts=[CONTRAST],
        )
    )


@pytest.fixture
def outputs(tmp_path: Path, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders `base` and `tuned` with what `lm_eval --model hf` writes."""
    import lm_eval.tasks
    from lm_eval.__main__ import cli_evaluate

    # Without its index of its own tasks, which takes most of the time.
    zoo_only = partial(lm_eval.tasks.TaskManager, include_defaults=False)
    monkeypatch.setattr(lm_eval.tasks, "TaskManager", zoo_only)
    for role in ("base", "tuned"):
        command = ["lm_eval", "--model", "hf"]
        command += ["--model_args", f"pretrained={pair.member(role).path}"]
        command += ["--include_path", str(TASKS), "--tasks", ",".join(NAMES)]
        command += ["--device", "cpu", "--batch_size", "16", "--log_samples"]
        command += ["--output_path", str(tmp_path / "outputs" / role)]
        monkeypatch.setattr(sys, "argv", command)
        cli_evaluate()
    return tmp_path / "outputs"


def test_lm_eval_gives_the_same_to_the_last_item(run: Run, outputs: Path, tmp_path: Path) -> None:
    cells = run.cells
    compared = 0
    for key in cells.done():
        record = cells.record(key)
        role = record["arm"].removesuffix("-0shot")
        (samples,) = (outputs / role).rglob(f"samples_{record['task']}_*.jsonl")
        theirs = pd.DataFrame(map(json.loads, samples.read_text().splitlines()))
        theirs = theirs.sort_values("doc_id")
        ours = cells.items(key).to_pandas()
        assert list(ours["score"]) == list(theirs["acc"])
        assert record["score"] == theirs["acc"].mean()
        assert len(ours) == 240
        compared += 1
    assert compared == 2 * len(NAMES)
    check_imported(run, outputs, tmp_path / "imported")


def check_imported(run: Run, outputs: Path, folder: Path) -> None:
    """What lm-eval wrote, imported, is what the study computed."""
    folder.mkdir()
    (folder / "study.yaml").write_text(yaml.safe_dump({"name": "i", "contrasts": [CONTRAST]}))
    result = call("import", folder, outputs / "base", outputs / "tuned")
    assert result.returncode == 0, result.stderr
    columns = ["pair", "family", "role", "arm", "task", "task_type", "chance", "n_items", "score"]
    ours, theirs = (
        load_scores(Run.open(each))[columns].sort_values(["role", "task"], ignore_index=True)
        for each in (run.folder, folder)
    )
    pd.testing.assert_frame_equal(ours, theirs)
    for arm in ("base-0shot", "tuned-0shot"):
        pair = (str(ours["pair"].iloc[0]),)
        sides = [load_items(each).of(arm, NAMES[0], pair) for each in (run.folder, folder)]
        computed, imported = (side for side in sides if side is not None)
        assert computed.scores.shape == (1, 1, 240)
        assert np.array_equal(computed.items, imported.items)
        assert np.array_equal(computed.scores, imported.scores)
        assert computed.choices is not None
        assert imported.choices is not None
        assert np.array_equal(computed.choices, imported.choices)
        assert len(np.unique(computed.choices)) == 4
