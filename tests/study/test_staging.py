"""Fetching a study once, from a hub on this machine; what the lock holds and refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from study.models.pairs import zoo
from study.results.cell_store.store import Cells
from tests.conftest import command_environment
from tests.study.hub import Hub

MakeRun = Callable[..., Path]
Command = Callable[..., subprocess.CompletedProcess[str]]
PAIR = zoo()[0]
WEIGHTS = "zoo/base/model.safetensors"
LISTED = {"base": "zoo/base", "tuned": "zoo/tuned", "family": "f", "params_b": 0.001}


TASK = """
task: colours
dataset_path: org/colours
output_type: multiple_choice
test_split: test
fewshot_split: train
training_split: train
doc_to_text: "give the colour of {{asked}} ="
doc_to_choice: ["red", "blue"]
doc_to_target: gold
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    models = {}
    for role in ("base", "tuned"):
        models[f"zoo/{role}"] = tmp_path / "hub" / role
        shutil.copytree(PAIR.member(role).path, models[f"zoo/{role}"])
        (models[f"zoo/{role}"] / "README.md").write_text("not for us")
        (models[f"zoo/{role}"] / "consolidated.safetensors").write_bytes(b"nor this")
    colours = tmp_path / "hub" / "colours"
    colours.mkdir()
    (colours / "README.md").write_text("---\nlicense: mit\n---\n")
    for split in ("train", "test"):
        rows = {"asked": [f"{split} {i}" for i in range(20)], "gold": [i % 2 for i in range(20)]}
        pd.DataFrame(rows).to_json(colours / f"{split}.jsonl", orient="records", lines=True)
    made = Hub(models, {"org/colours": colours})
    yield made
    made.stop()


@pytest.fixture
def with_hub(hub: Hub, tmp_path: Path) -> Any:
    """`study …` on a machine whose only network is the hub here; `offline=True`: none at all."""
    attempts = tmp_path / "network-attempts"

    def run(*arguments: object, offline: bool = False) -> subprocess.CompletedProcess[str]:
        environment = {
            **command_environment(attempts),
            "HF_ENDPOINT": "http://127.0.0.1:9" if offline else hub.address,
            "HF_HOME": str(tmp_path / "cache"),
            "HF_HUB_OFFLINE": "1" if offline else "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        return subprocess.run(["study", *map(str, arguments)], env=environment,
                              capture_output=True, text=True, timeout=300)  # fmt: skip

    yield run
    assert not attempts.exists(), attempts.read_text()


def lock(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "study.results.lock.json").read_text())
    return content


def test_a_study_is_fetched_once_locked_and_run_without_a_network(
    with_hub: Command, hub: Hub, make_run: MakeRun
) -> None:
    run = make_run(pairs=[LISTED])
    before = with_hub("doctor", run, offline=True)
    assert before.returncode == 1
    assert "wrong  everything planned is on this machine: zoo/base: found neither" in before.stdout
    assert "study.lock.json holds everything: it lacks 'zoo/base', 'zoo/tuned'" in before.stdout

    staged = with_hub("stage", run)
    assert staged.returncode == 0, staged.stderr
    commit = hub.commit("zoo/base")
    locked = lock(run)
    assert set(locked["models"]) == {"zoo/base", "zoo/tuned"}
    assert locked["models"]["zoo/base"]["revision"] == commit
    assert locked["tasks"]["zoo_colour_mc"]["n_items"] == 240
    files = {file.rpartition("/")[2] for file, _ in hub.given}
    assert files & {"model.safetensors", "config.json", "tokenizer.json"}
    assert not files & {"README.md", "consolidated.safetensors"}
    given = len(hub.given)
    again = with_hub("stage", run)
    assert again.returncode == 0
    assert len(hub.given) == given
    assert lock(run) == locked

    # The hub's main branch moves on, and somebody fetches it: the study stays where it was.
    card = hub.models["zoo/base"] / "config.json"
    card.write_text(card.read_text() + " ")
    assert with_hub("stage", make_run("other", pairs=[LISTED])).returncode == 0
    assert hub.commit("zoo/base") != commit
    doctor = with_hub("doctor", run, offline=True)
    assert doctor.returncode == 0, doctor.stdout
    done = with_hub("run", run, offline=True)
    assert done.returncode == 0, done.stderr
    records = [Cells(run).record(key) for key in Cells(run).done()]
    assert {r["revision"] for r in records if r["model"] == "zoo/base"} == {commit}
    (named,) = {r["lock"] for r in records}
    from study.results.lock import lock_digest

    assert named == lock_digest(run)


def test_a_data_set_is_fetched_once_and_read_without_a_network(
    with_hub: Command, hub: Hub, make_run: MakeRun, tmp_path: Path
) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "colours.yaml").write_text(TASK)
    run = make_run(
        pairs=[LISTED],
        tasks=[{"task": "colours", "task_type": "t", "metric": "acc", "chance": 0.5}],
        task_folders=["../tasks"],
    )
    plan = with_hub("plan", run, offline=True)
    assert "the data set org/colours is not on this machine" in plan.stdout
    staged = with_hub("stage", run)
    assert staged.returncode == 0, staged.stderr
    locked = lock(run)["tasks"]["colours"]
    assert locked["revision"] == hub.commit("org/colours")
    assert (locked["data_set"], locked["n_items"]) == ("org/colours", 20)
    done = with_hub("run", run, offline=True)
    assert done.returncode == 0, done.stderr
    assert len(Cells(run).done()) == 1 + 2 + 1


def test_after_an_interruption_only_what_is_lacking_is_fetched(
    with_hub: Command, hub: Hub, make_run: MakeRun
) -> None:
    run = make_run(pairs=[LISTED])
    size = (hub.models["zoo/base"] / "model.safetensors").stat().st_size
    hub.breaks_after = size // 3
    broken = with_hub("stage", run)
    assert broken.returncode == 1
    assert "failed: model zoo/base" in broken.stderr
    assert "Traceback" not in broken.stderr
    assert set(lock(run)["tasks"]) == {"zoo_colour_mc", "zoo_reverse_mc"}
    hub.breaks_after = None
    before = len(hub.given)
    assert with_hub("stage", run).returncode == 0
    assert [entry for entry in hub.given[before:] if entry[0] == WEIGHTS] == [(WEIGHTS, size)]
    assert "zoo/base/config.json" not in {file for file, _ in hub.given[before:]}
    assert set(lock(run)["models"]) == {"zoo/base", "zoo/tuned"}


def test_a_file_that_is_not_what_the_hub_announced_is_found_and_fetched_again(
    with_hub: Command, hub: Hub, make_run: MakeRun, tmp_path: Path
) -> None:
    run = make_run(pairs=[LISTED])
    assert with_hub("stage", run).returncode == 0
    (weights,) = tmp_path.glob("cache/hub/models--zoo--base/snapshots/*/model.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.resolve().write_bytes(bytes(content))
    found = with_hub("stage", run)
    assert found.returncode == 1
    assert "found another content than the hub announced" in found.stderr
    assert with_hub("stage", run).returncode == 0
    assert weights.read_bytes()[-1] == content[-1] ^ 1


def test_what_is_not_there_is_named_and_the_rest_is_staged(
    with_hub: Command, hub: Hub, make_run: MakeRun
) -> None:
    (hub.models["zoo/tuned"] / "model.safetensors").rename(
        hub.models["zoo/tuned"] / "pytorch_model.bin"
    )
    run = make_run(pairs=[LISTED, {**LISTED, "tuned": "nobody/nothing", "name": "absent"}])
    done = with_hub("stage", run)
    assert done.returncode == 1
    failed = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 2
    assert any("zoo/tuned: found no *.safetensors" in line for line in failed)
    assert any("nobody/nothing" in line for line in failed)
    assert set(lock(run)["models"]) == {"zoo/base"}


def test_what_differs_from_the_lock_is_not_run(
    make_run: MakeRun, study_command: Command, tmp_path: Path
) -> None:
    """Weights and items that change after staging: named, not scored, until staged anew."""
    base = tmp_path / "mine" / "base"
    shutil.copytree(PAIR.base.path, base)
    run = make_run(pairs=[{**LISTED, "base": str(base), "tuned": PAIR.tuned.path}])
    assert study_command("stage", run).returncode == 0
    assert study_command("run", run).returncode == 0
    cells = Cells(run)
    of_base = [key for key in cells.done() if cells.record(key)["model"] == "mine/base"]
    assert len(of_base) == 6
    cells.remove(of_base[0])
    finished = len(cells.done())
    shutil.copyfile(Path(zoo()[1].base.path) / "config.json", base / "config.json")
    shutil.copyfile(Path(zoo()[1].base.path) / "model.safetensors", base / "model.safetensors")
    refused = study_command("run", run)
    assert refused.returncode == 1
    assert "found weights other than when the study was staged" in refused.stderr
    assert len(Cells(run).done()) == finished
    assert study_command("doctor", run).returncode == 1
    staged = study_command("stage", run)
    assert "mine/base: other files than those locked" in staged.stderr
    anew = study_command("run", run)
    assert anew.returncode == 0
    assert "5 finished cells no longer fit the study and are computed anew" in anew.stderr
    assert "the weights of mine/base (5 cells)" in anew.stderr
    assert len(Cells(run).done()) == finished + 6
    os.utime(base / "model.safetensors")  # touched, not changed
    assert study_command("doctor", run).returncode == 0


def test_a_damaged_lock_is_one_error(make_run: MakeRun, study_command: Command) -> None:
    run = make_run()
    (run / "study.results.lock.json").write_text("{")
    done = study_command("plan", run)
    assert done.returncode == 2
    assert "study.lock.json: found no lock; expected what `study stage` wrote" in done.stderr
