"""A study from a hub to its cells, by the command line: the network is there for staging only."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from study.models.pairs import zoo
from study.results.run import Run
from tests.conftest import MakeRun, command_environment
from tests.study.planning.hub import Hub

TASK = """
task: colours
dataset_path: org/colours
output_type: multiple_choice
test_split: test
fewshot_split: train
training_split: train
doc_to_text: "give the colour of {{word}} ="
doc_to_choice: ["red", "blue"]
doc_to_target: gold
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
"""
PAIR = {"base": "zoo/base", "tuned": "zoo/tuned", "family": "f", "params_b": zoo()[0].params_b}
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(hub: Hub, tmp_path: Path) -> Iterator[Command]:
    """`study …` on a machine whose only network is the hub; with `offline=True`, without any."""
    attempts = tmp_path / "network-attempts"

    def run(*arguments: object, offline: bool) -> subprocess.CompletedProcess[str]:
        environment = {
            **command_environment(attempts),
            "HF_ENDPOINT": "http://127.0.0.1:9" if offline else hub.address,
            "HF_HOME": str(tmp_path / "cache"),
            "HF_HUB_OFFLINE": "1" if offline else "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        return subprocess.run(
            ["study", *map(str, arguments)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    yield run
    assert not attempts.exists(), attempts.read_text()


def test_a_data_set_and_models_are_fetched_and_read_without_a_network(
    command: Command, hub: Hub, make_run: MakeRun, tmp_path: Path
) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "colours.yaml").write_text(TASK)
    folder = make_run(
        pairs=[PAIR],
        tasks=[{"task": "colours", "task_type": "t", "metric": "acc", "chance": 0.5}],
        task_folders=["../tasks"],
    )
    before = command("doctor", folder, offline=True)
    assert before.returncode == 1
    available = "problem  models and data on this machine: "
    assert f"{available}zoo/base: found neither" in before.stdout
    assert "the data set org/colours is not on this machine" in before.stdout
    assert "entries of study.lock.json: none for" in before.stdout
    assert "'zoo/base', 'zoo/tuned'" in before.stdout

    staged = command("stage", folder, offline=False)
    assert staged.returncode == 0, staged.stderr
    lock = json.loads((folder / "study.lock.json").read_text())
    task = lock["tasks"]["colours"]
    assert task["revision"] == hub.commit("org/colours")
    assert (task["data_set"], task["n_items"]) == ("org/colours", 20)
    assert set(lock["models"]) == {"zoo/base", "zoo/tuned"}

    after = command("run", folder, "--device", "cpu", offline=True)
    assert after.returncode == 0, after.stderr
    assert len(Run.open(folder).cells.done()) == 1 + 2 + 1
