"""What all tests share: no network, small runs, the command line as a user has it."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from study import fact_cache
from tests.cluster import Cluster, missing_programs

ROOT = Path(__file__).parent.parent
GUARD = Path(__file__).parent / "network_guard"

if _worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # Each test process and its children keep to one core. Two processes whose OpenMP threads share
    # both cores wait for each other: a small study took eight times as long.
    _cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {_cores[int(_worker.removeprefix("gw")) % len(_cores)]})
if fact_cache.LOCATION not in os.environ:  # one for all processes of these tests, and no other
    os.environ[fact_cache.LOCATION] = tempfile.mkdtemp(prefix="facts-")
    atexit.register(shutil.rmtree, os.environ[fact_cache.LOCATION], ignore_errors=True)
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["TQDM_DISABLE"] = "1"

StudyCommand = Callable[..., subprocess.CompletedProcess[str]]
MakeRun = Callable[..., Path]

LONGEST_FIRST = (
    "test_docs",
    "test_notebooks",
    "test_local",
    "test_executor",
    "test_tune",
    "test_smoke",
    "test_few_scores",
    "test_worker_pool",
    "test_staged_run",
)
"Stems of the files that take longest: started first, so that no process ends alone with one."


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    import torch

    order = {stem: index for index, stem in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(LONGEST_FIRST)))
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


def command_environment(attempts: Path) -> dict[str, str]:
    """The environment of a command in which connections that leave the machine are refused and
    recorded in a file."""
    return {
        **os.environ,
        "PYTHONPATH": f"{GUARD}{os.pathsep}{ROOT}",
        "NETWORK_ATTEMPTS": str(attempts),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


@pytest.fixture(scope="session", autouse=True)
def network_guard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Refuse connections of the test process itself; fail if there was an attempt."""
    attempts = tmp_path_factory.mktemp("guard") / "network-attempts"
    os.environ["NETWORK_ATTEMPTS"] = str(attempts)
    exec((GUARD / "sitecustomize.py").read_text(), {})
    yield
    assert not attempts.exists(), attempts.read_text()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A Slurm cluster on this machine."""
    if missing := missing_programs():
        pytest.skip(f"no Slurm: {', '.join(missing)} (Debian: apt install slurm-wlm munge)")
    cluster = Cluster()
    yield cluster
    cluster.stop()


@pytest.fixture
def study_command(tmp_path: Path) -> StudyCommand:
    """Runs `study …` in a process of its own; fails if anything in it tried the network. One
    worker unless a test says how many, because each takes seconds to start."""
    attempts = tmp_path / "network-attempts"

    def run(*arguments: object, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        command = ["study", *map(str, arguments)]
        if arguments[0] in ("run", "tune") and not {"--device", "--on"} & set(command):
            command += ["--device", "cpu"]
        result = subprocess.run(
            command,
            env=command_environment(attempts),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert not attempts.exists(), attempts.read_text()
        return result

    return run


SMALL: dict[str, Any] = {
    "name": "small",
    "pairs": [{"source": "zoo", "pair": ["llama-early-xs", "neox-late-xs", "olmo2-late-xs"]}],
    "arms": ["base-0shot", "base-5shot", "tuned-0shot-chat"],
    "tasks": {"suite": "zoo_mc", "only": ["zoo_colour_mc", "zoo_reverse_mc"]},
    "contrasts": [{"name": "in-context", "x": "base-5shot", "y": "tuned-0shot-chat"}],
    "draws": 2,
    "limit": 12,
}
"A study of 24 cells, computed in seconds."


def write_study(folder: Path, **changes: Any) -> Path:
    """Write `SMALL` with changes to a new run folder; `...` as a value removes the key."""
    content = {key: value for key, value in {**SMALL, **changes}.items() if value is not ...}
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    return folder


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Makes run folders with a small study, changed as requested."""

    def make(name: str = "run", /, **changes: Any) -> Path:
        return write_study(tmp_path / name, **changes)

    return make


def tables(folder: Path) -> dict[str, bytes]:
    """The bytes of every table of a run, analysed now."""
    from analysis.pipeline import write_tables
    from study.results.run import Run

    write_tables(Run.open(folder))
    return {path.name: path.read_bytes() for path in sorted((folder / "tables").iterdir())}
