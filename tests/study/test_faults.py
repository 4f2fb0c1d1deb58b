"""What may happen to a run on one machine, done to it for real. Afterwards the same command ends it
with the tables of the run that nobody disturbed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from study.results.cell_store.store import Cells
from tests.conftest import SMALL, Study, command_environment, tables

MakeRun = Callable[..., Path]
TASKS = ["zoo_colour_mc", "zoo_home_mc", "zoo_reverse_mc", "zoo_addition_mc", "zoo_lookup_mc"]
LONGER: dict[str, Any] = {"tasks": {"suite": "zoo_mc", "only": TASKS}, "draws": 1, "limit": 80}
CELLS = 3 * len(TASKS) * 3


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    run = tmp_path_factory.mktemp("undisturbed")
    (run / "study.yaml").write_text(yaml.safe_dump({**SMALL, **LONGER}))
    environment = command_environment(run / "attempts")
    done = subprocess.run(["study", "run", str(run)], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return tables(run)


@pytest.fixture
def begin(tmp_path: Path) -> Any:
    """Starts `study run …` and leaves it running."""
    begun = []

    def start(run: Path, *more: str) -> subprocess.Popen[str]:
        begun.append(
            subprocess.Popen(
                ["study", "run", str(run), *more], stdout=subprocess.DEVNULL, text=True,
                stderr=subprocess.PIPE, env=command_environment(tmp_path / "attempts"),
            )
        )  # fmt: skip
        return begun[-1]

    yield start
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.communicate()
    assert not (tmp_path / "attempts").exists()


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Its worker processes; not the one that tracks multiprocessing's resources."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return [pid for pid, line in lines.items() if b"spawn_main" in line]


def wait_for_cells(run: Path, number: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while len(Cells(run).done()) < number:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_killed_workers_are_replaced_and_their_models_tried_again(
    make_run: MakeRun, begin: Any, undisturbed: dict[str, bytes]
) -> None:
    """Two workers of one run are killed, at moments that differ."""
    run = make_run(**LONGER)
    process = begin(run)
    rng = random.Random(5)
    for enough in (rng.randrange(1, 10), rng.randrange(20, 30)):
        wait_for_cells(run, enough, process)
        os.kill(rng.choice(workers_of(process)), signal.SIGKILL)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    again = [line for line in said.splitlines() if line.startswith("retried: ")]
    assert 1 <= len(again) <= 2
    assert all("killed by SIGKILL" in line and "half the tokens" in line for line in again)
    assert len(Cells(run).done()) == CELLS
    assert tables(run) == undisturbed


def test_sigterm_is_a_clean_stop(
    make_run: MakeRun, begin: Any, study_command: Study, undisturbed: dict[str, bytes]
) -> None:
    run = make_run(**LONGER)
    process = begin(run)
    wait_for_cells(run, 10, process)
    workers = workers_of(process)
    asked = time.monotonic()
    process.terminate()
    _, said = process.communicate(timeout=10)
    assert time.monotonic() - asked < 10
    assert process.returncode == 128 + signal.SIGTERM
    assert said.splitlines()[-1] == "stopped; the same command continues"
    assert "Traceback" not in said
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert study_command("run", run).returncode == 0
    assert tables(run) == undisturbed


def test_two_runs_at_once_share_the_work(
    make_run: MakeRun, begin: Any, undisturbed: dict[str, bytes]
) -> None:
    run = make_run(**LONGER)
    both = [begin(run, "--device", "cpu") for _ in range(2)]
    said = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert len(Cells(run).done()) == CELLS
    assert tables(run) == undisturbed


def test_damaged_cells_are_found_and_computed_anew(
    make_run: MakeRun, study_command: Study, undisturbed: dict[str, bytes]
) -> None:
    run = make_run(**LONGER)
    assert study_command("run", run).returncode == 0
    cells = Cells(run)
    first, second, third, fourth = sorted(cells.done())[:4]
    cut = cells.files(first)["parquet"]
    cut.write_bytes(cut.read_bytes()[:-9])
    flipped = bytearray(cells.files(second)["json"].read_bytes())
    flipped[40] ^= 4
    cells.files(second)["json"].write_bytes(bytes(flipped))
    cells.files(third)["parquet"].unlink()
    (cells.folder / f"{fourth}.done").write_text("{")
    done = study_command("run", run)
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("damaged, and computed")]
    assert len(told) == 4
    assert f"{CELLS} cells of 6 models: 4 left" in done.stderr
    assert tables(run) == undisturbed


TASK = """
task: {name}
custom_dataset: !function code.data
output_type: multiple_choice
test_split: test
fewshot_split: train
training_split: train
doc_to_text: "give the colour of {{{{asked}}}} ="
doc_to_choice: choices
doc_to_target: gold
process_results: !function code.{name}
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
"""

CODE = """
import os, signal, time
from datasets import Dataset

ROWS = {"asked": ["a", "b", "c"], "choices": [["x", "y"]] * 3, "gold": [0, 1, 0]}


def data(**_):
    return {"train": Dataset.from_dict(ROWS), "test": Dataset.from_dict(ROWS)}


def fine(doc, results):
    return {"acc": 1.0}


def deadly(doc, results):
    print("about to die", flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)


def endless(doc, results):
    while True:
        time.sleep(1)
"""


@pytest.fixture
def run_of(make_run: MakeRun, tmp_path: Path) -> Callable[[str], Path]:
    """A run of two models on a task of which code of its own disposes, and a harmless one."""

    def make(name: str) -> Path:
        folder = tmp_path / "tasks"
        folder.mkdir()
        (folder / "code.py").write_text(CODE)
        for task in (name, "fine"):
            (folder / f"{task}.yaml").write_text(TASK.format(name=task))
        listed = {"task_type": "t", "metric": "acc", "chance": 0.5}
        return make_run(
            pairs=[{"source": "zoo", "pair": ["llama-early-xs"]}],
            arms=["base-0shot", "tuned-0shot"],
            contrasts=[{"name": "c", "x": "base-0shot", "y": "tuned-0shot"}],
            tasks=[{"task": "fine", **listed}, {"task": name, **listed}],
            task_folders=[str(folder)],
        )

    return make


def test_a_model_that_kills_its_workers_is_set_aside_with_its_log(
    run_of: Callable[[str], Path], study_command: Study
) -> None:
    run = run_of("deadly")
    done = study_command("run", run, "--device", "cpu")
    assert done.returncode == 1
    failed = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 2
    assert done.stderr.count("retried: ") == 2
    for line, model in zip(sorted(failed), ("base", "tuned"), strict=True):
        assert "killed by SIGSEGV, twice; set aside" in line
        log = run / "results" / "logs" / f"llama-early-xs-{model}.log"
        assert str(log) in line
        assert log.read_text().count("about to die") == 2
        assert "Segmentation fault" in log.read_text()
    # What was finished before stays.
    tasks = {Cells(run).record(key)["task"] for key in Cells(run).done()}
    assert tasks == {"fine"}


@pytest.mark.slow
def test_a_model_that_makes_no_progress_is_killed_tried_again_and_set_aside(
    run_of: Callable[[str], Path], study_command: Study
) -> None:
    run = run_of("endless")
    done = study_command("run", run, "--stall-minutes", "0.4")
    assert done.returncode == 1
    failed = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 2
    assert all("did nothing for" in line and "twice; set aside" in line for line in failed)
    assert {Cells(run).record(key)["task"] for key in Cells(run).done()} == {"fine"}


@pytest.mark.slow
def test_a_full_disk_ends_the_run_and_a_larger_one_continues_it(
    make_run: MakeRun, begin: Any, study_command: Study, undisturbed: dict[str, bytes]
) -> None:
    run = make_run(**LONGER)
    results = run / "results"
    results.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(results)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        done = study_command("run", run)
        assert done.returncode == 1
        assert "No space left on device" in done.stderr
        assert "Free space" in done.stderr
        assert "Traceback" not in done.stderr
        partly = len(Cells(run).done())
        assert 0 < partly < CELLS
        assert not list(Cells(run).damaged())
        larger = ["mount", "-o", "remount,size=64m", str(results)]
        subprocess.run(larger, check=True, capture_output=True)
        assert study_command("run", run).returncode == 0
        assert len(Cells(run).done()) == CELLS
        assert tables(run) == undisturbed
        subprocess.run(["mount", "-o", "remount,ro", str(results)], check=True)
        refused = study_command("run", run)
        assert refused.returncode == 2
        assert "Read-only file system" in refused.stderr.splitlines()[-1]
        assert "Traceback" not in refused.stderr
    finally:
        subprocess.run(["umount", str(results)], check=True)


def test_a_model_folder_that_vanishes_is_named(
    make_run: MakeRun, study_command: Study, tmp_path: Path
) -> None:
    import shutil

    from study.models.pairs import zoo

    pair = zoo()[0]
    folder = tmp_path / "gone"
    shutil.copytree(pair.base.path, folder)
    run = make_run(
        pairs=[{"base": str(folder), "tuned": pair.tuned.path, "family": "f", "params_b": 0.1}],
        draws=1,
    )
    assert study_command("run", run).returncode == 0
    undisturbed, cells = tables(run), Cells(run)
    shutil.rmtree(folder)
    # What is finished needs no model, and stands.
    done = study_command("run", run)
    assert done.returncode == 0, done.stderr
    assert tables(run) == undisturbed
    lost = next(key for key in cells.done() if cells.record(key)["model"].endswith("gone"))
    cells.remove(lost)
    finished = cells.done()
    done = study_command("run", run)
    assert done.returncode == 1
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("failed: "))
    assert str(folder) in line
    assert Cells(run).done() == finished
    shutil.copytree(pair.base.path, folder)
    assert study_command("run", run).returncode == 0
    assert tables(run) == undisturbed


def _both_forms() -> list[dict[str, Any]]:
    """A task of choices and one of generated answers."""
    shared = {"task_type": "knowledge", "chance": 0.0}
    return [
        {"task": "zoo_colour_mc", "metric": "acc", **shared},
        {"task": "zoo_colour_gen", "metric": "exact_match,answer", **shared},
    ]


def test_a_model_of_nan_has_no_scores(
    make_run: MakeRun, study_command: Study, tmp_path: Path
) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    from study.models.pairs import zoo

    pair = zoo()[0]
    folder = tmp_path / "nan"
    shutil.copytree(pair.base.path, folder)
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "norm" in name)
    save_file({**weights, name: weights[name] * float("nan")}, folder / "model.safetensors",
              metadata={"format": "pt"})  # fmt: skip
    run = make_run(
        pairs=[{"base": str(folder), "tuned": pair.tuned.path, "family": "f", "params_b": 0.1}],
        tasks=_both_forms(),
        draws=1,
    )
    done = study_command("run", run)
    assert done.returncode == 1
    failed = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 4
    assert all("computes NaN" in line for line in failed)
    models = {Cells(run).record(key)["model"] for key in Cells(run).done()}
    assert models == {pair.tuned.name}
