"""What all tests share: no network, small runs, the command line as a user has it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.pipeline import write_tables
from tests.study.slurm_cluster import Cluster, lacking

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
GUARD = Path(__file__).parent / "network_guard"

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["TQDM_DISABLE"] = "1"

Study = Callable[..., subprocess.CompletedProcess[str]]


def command_environment(attempts: Path) -> dict[str, str]:
    """The environment of a command: whoever opens a connection is refused and noted down."""
    return {
        **os.environ,
        "PYTHONPATH": str(GUARD),
        "NETWORK_ATTEMPTS": str(attempts),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


LONGEST = ("test_slurm", "test_faults", "test_studies", "test_readme", "test_run", "test_changes",
           "test_training", "test_staging", "test_kills")  # fmt: skip
"Files that take minutes: begun first, that no process is left with one at the end."


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    import torch

    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no CUDA device is at hand"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A Slurm cluster on this machine."""
    if absent := lacking():
        pytest.skip(f"no Slurm here: {', '.join(absent)} (Debian: apt install slurm-wlm munge)")
    made = Cluster()
    yield made
    made.stop()


@pytest.fixture
def study_command(tmp_path: Path) -> Any:
    """Runs `study …`; fails if anything in it tried the network. One worker, where a test does not
    say how many: each takes seconds to start, and tests run side by side."""
    attempts = tmp_path / "network-attempts"

    def run(*arguments: object, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        line = ["study", *map(str, arguments)]
        if arguments[0] in ("run", "tune") and not {"--device", "--on"} & set(line):
            line += ["--device", "cpu"]
        done = subprocess.run(
            line,
            env=command_environment(attempts),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert not attempts.exists(), attempts.read_text()
        return done

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


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """A run's folder with a small study, changed as asked; `...` as a value removes the key."""

    def make(folder_name: str = "run", /, **changes: Any) -> Path:
        content = {**SMALL, **changes}
        folder = tmp_path / folder_name
        folder.mkdir()
        kept = {key: value for key, value in content.items() if value is not ...}
        (folder / "study.yaml").write_text(yaml.safe_dump(kept))
        return folder

    return make


def tables(run: Path) -> dict[str, bytes]:
    """Every table of a run, computed now, to the last byte."""
    write_tables(run)
    return {path.name: path.read_bytes() for path in sorted((run / "tables").iterdir())}
