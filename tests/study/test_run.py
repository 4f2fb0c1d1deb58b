"""A study run for real, on zoo models: killed and continued, against plain lm-eval, audited."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from analysis.data.scores import load_scores
from study.models.pairs import zoo
from study.planning.plan_study import planned
from study.results.cell_store.store import Cells
from study.running.cells.prompts import AuditError
from study.running.cells.responses import check_tokens
from study.zoo import TASKS
from tests.conftest import Study, command_environment

MakeRun = Callable[..., Path]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody disturbed."""

    from tests.conftest import SMALL

    run = tmp_path_factory.mktemp("undisturbed")
    (run / "study.yaml").write_text(yaml.safe_dump(SMALL))
    attempts = run / "network-attempts"
    environment = command_environment(attempts)
    command = ["study", "run", str(run), "--device", "cpu", "--device", "cpu"]
    done = subprocess.run(command, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert not attempts.exists()
    return run


def test_cells_are_what_was_planned(undisturbed: Path) -> None:
    state = planned(undisturbed)
    assert state.cells == 3 * 2 * (1 + 2 + 1)
    assert state.cells_done == state.cells
    scores = load_scores(undisturbed)
    assert len(scores) == state.cells
    assert scores["n_items"].eq(12).all()
    five = scores["arm"] == "base-5shot"
    assert sorted(scores.loc[five, "draw"].unique()) == [0, 1]
    assert scores.loc[~five, "draw"].isna().all()
    for key in Cells(undisturbed).done():
        record = Cells(undisturbed).record(key)
        shots = record["identity"]["arm"]["shots"]
        assert record["effective_shots"] == {"least": shots, "most": shots}
        assert record["bos_count"] == 1
        assert record["truncated_items"] == 0
        assert record["scoring"]["path"] == "packed"
        assert record["scoring"]["plain_requests"] == {}
        assert 0 <= record["scoring"]["probe_error"] < 1e-4
        items = Cells(undisturbed).items(key).to_pandas()
        assert items["score"].mean() == record["score"]


def test_scores_can_be_recomputed_from_the_items(undisturbed: Path) -> None:
    cells = Cells(undisturbed)
    for key in cells.done():
        items = cells.items(key).to_pandas()
        best = [int(max(range(len(row)), key=lambda i: row[i])) for row in items["logprobs"]]
        right = [float(str(b) == gold) for b, gold in zip(best, items["gold"], strict=True)]
        assert right == list(items["score"])


def test_second_run_computes_nothing(undisturbed: Path, study_command: Study) -> None:
    cells = undisturbed / "results" / "cells"
    before = {path.name: path.stat().st_mtime_ns for path in cells.iterdir()}
    done = study_command("run", undisturbed)
    assert done.returncode == 0
    assert "computed" not in done.stderr
    assert {path.name: path.stat().st_mtime_ns for path in cells.iterdir()} == before


def test_one_worker_or_two_give_the_same_cells(
    undisturbed: Path, make_run: MakeRun, study_command: Study
) -> None:
    run = make_run("one-worker")
    assert study_command("run", run, "--device", "cpu").returncode == 0
    ours, theirs = Cells(run), Cells(undisturbed)
    assert ours.done() == theirs.done()
    for key in ours.done():
        one, two = ours.items(key).to_pandas(), theirs.items(key).to_pandas()
        columns = ["item", "gold", "score", "prompt_hash", "shots"]
        assert one[columns].equals(two[columns])


def test_a_longer_limit_keeps_the_demonstrations(undisturbed: Path, make_run: MakeRun) -> None:
    longer = planned(make_run("longer", limit=13))
    shorter = planned(undisturbed)

    def shown(state: object) -> set[str]:
        return {cell.identity["arm"]["demonstrations"] for _, _, cell in state.plan.rows}  # type: ignore[attr-defined]

    assert shown(longer) == shown(shorter)
    keys = {cell.key for _, _, cell in longer.plan.rows}
    assert not keys & {cell.key for _, _, cell in shorter.plan.rows}


def test_plain_lm_eval_gives_the_same_to_the_last_item(tmp_path: Path) -> None:
    """`lm_eval --model hf` on a zoo model, zero-shot and without template."""

    from tests.conftest import SMALL

    pair = next(pair for pair in zoo() if pair.name == "llama-early-xs")
    run = tmp_path / "ours"
    run.mkdir()
    pairs = [{"source": "zoo", "pair": [pair.name]}]
    content = {**SMALL, "pairs": pairs, "limit": 240, "arms": ["base-0shot", "tuned-0shot"]}
    content["contrasts"] = [{"name": "c", "x": "base-0shot", "y": "tuned-0shot"}]
    (run / "study.yaml").write_text(yaml.safe_dump(content))
    environment = command_environment(tmp_path / "network-attempts")
    command = ["study", "run", str(run), "--device", "cpu"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    cells = Cells(run)
    for role in ("base", "tuned"):
        out = tmp_path / role
        subprocess.run(
            [sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args",
             f"pretrained={pair.member(role).path}", "--include_path", str(TASKS), "--tasks",
             "zoo_colour_mc,zoo_reverse_mc", "--device", "cpu", "--batch_size", "16",
             "--log_samples", "--output_path", str(out)],
            env=environment, check=True, capture_output=True,
        )  # fmt: skip
        for key in cells.done():
            record = cells.record(key)
            if record["arm"] != f"{role}-0shot":
                continue
            (samples,) = out.rglob(f"samples_{record['task']}_*.jsonl")
            theirs = pd.DataFrame(map(json.loads, samples.read_text().splitlines()))
            theirs = theirs.sort_values("doc_id")
            ours = cells.items(key).to_pandas()
            assert list(ours["score"]) == list(theirs["acc"])
            assert record["score"] == theirs["acc"].mean()
            assert len(ours) == 240
    _imports_to_the_same(run, tmp_path, environment)


def _imports_to_the_same(run: Path, outputs: Path, environment: dict[str, str]) -> None:
    """What lm-eval wrote, imported, is what the study computed."""
    from analysis.data.items import load_items

    other = outputs / "imported"
    other.mkdir()
    contrast = {"name": "c", "x": "base-0shot", "y": "tuned-0shot"}
    (other / "study.yaml").write_text(yaml.safe_dump({"name": "i", "contrasts": [contrast]}))
    command = ["study", "import", str(other), str(outputs / "base"), str(outputs / "tuned")]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    columns = ["pair", "family", "role", "arm", "task", "task_type", "chance", "n_items", "score"]
    ours, theirs = (
        load_scores(folder)[columns].sort_values(["role", "task"], ignore_index=True)
        for folder in (run, other)
    )
    pd.testing.assert_frame_equal(ours, theirs)
    for arm in ("base-0shot", "tuned-0shot"):
        pair = (str(ours["pair"].iloc[0]),)
        sides = (load_items(folder).of(arm, "zoo_colour_mc", pair) for folder in (run, other))
        mine, imported = (side for side in sides if side is not None)
        assert mine.scores.shape == (1, 1, 240)
        assert np.array_equal(mine.items, imported.items)
        assert np.array_equal(mine.scores, imported.scores)
        assert mine.choices is not None
        assert imported.choices is not None
        assert np.array_equal(mine.choices, imported.choices)
        assert len(np.unique(mine.choices)) == 4


def test_items_that_share_a_text_are_drawn_together(
    make_run: MakeRun, study_command: Study
) -> None:
    """The position of the right answer stands in for a passage: four for all items."""
    from analysis.data.items import load_items

    listed = {"task_type": "knowledge", "metric": "acc", "chance": 0.25, "passage": "gold"}
    run = make_run(tasks=[{"task": "zoo_colour_mc", **listed}], draws=1)
    assert study_command("run", run, "--device", "cpu").returncode == 0
    items = load_items(run)
    answers = items.answers["base-5shot", "zoo_colour_mc"]
    clusters = items.clusters("zoo_colour_mc", answers.items)
    cell = Cells(run).items(sorted(Cells(run).done())[0])
    golds = dict(zip(cell["item"].to_pylist(), cell["gold"].to_pylist(), strict=True))
    of_gold = [golds[int(item)] for item in answers.items]
    assert len(set(clusters.tolist())) == len(set(of_gold)) > 1
    assert len(set(zip(clusters.tolist(), of_gold, strict=True))) == len(set(of_gold))
    assert study_command("analyze", run).returncode == 0
    table = pd.read_csv(run / "tables" / "agreement.csv")
    assert (table["n_clusters"] == len(set(of_gold))).all()
    assert (table["n_items"] == 12).all()


def test_what_fails_is_told_and_does_not_stop_the_rest(
    make_run: MakeRun, study_command: Study, tmp_path: Path
) -> None:
    pair = zoo()[0]
    broken = tmp_path / "broken"
    shutil.copytree(pair.base.path, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    pickled = tmp_path / "pickled"
    shutil.copytree(pair.base.path, pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    shared = {"tuned": pair.tuned.path, "family": "f", "params_b": 0.001}
    run = make_run(
        pairs=[
            {"base": pair.base.path, "name": "whole", **shared},
            {"base": str(broken), "name": "broken", **shared},
            {"base": str(pickled), "name": "pickled", **shared},
            {"base": "nobody/nothing", "name": "absent", **shared},
        ],
        arms=["base-0shot", "tuned-0shot-chat"],
        contrasts=[{"name": "c", "x": "base-0shot", "y": "tuned-0shot-chat"}],
    )
    done = study_command("run", run)
    assert done.returncode == 1
    failures = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failures) == 3
    assert any("broken" in line and "SafetensorError" in line for line in failures)
    assert any("only in a pickle file" in line for line in failures)
    assert any("nobody/nothing" in line and "study stage" in line for line in failures)
    scores = load_scores(run)
    assert set(scores.loc[scores["role"] == "base", "pair"]) == {"whole"}


def test_two_bos_are_an_error() -> None:
    from study.inference import SharedPrefixLM

    lm = SharedPrefixLM(pretrained=zoo()[0].tuned.path, device="cpu")

    class Asked:
        request_type = "loglikelihood"
        args = ("<bos> <bos> give the colour of old fox =", " red")

    class Cell:
        class arm:
            name = "tuned-0shot"

    with pytest.raises(AuditError, match=r"begin with \[2\] <bos>, not one"):
        check_tokens(lm, [Asked], Cell, 100)  # type: ignore[arg-type]
