"""Every benchmark runs at its smallest size, and no name in `benchmarks/` shadows a package.

Benchmarks run in this process, which has imported torch and lm-eval already.
"""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))
NAMES = [*SCRIPTS, *(path.parent.name for path in FOLDER.glob("*/__init__.py"))]
TARGETS = ("bench", "bench-tuning", "gpu", "calibrate")
RUNS = [
    ("analysis_command", [], "tables equal"),
    ("analysis_speed", [], "replicates differ by"),
    ("calibration", [], "| families | icc |"),
    ("cost_estimate", [], "disk:"),
    ("demo_time", ["hf"], "0 of 8 scores differ"),
    ("demo_time", ["loop"], "zero-shot scores equal"),
    ("gpu", [], "nothing was measured"),
    ("runner_overhead", ["cells", "many"], "20 finished cells loaded"),
    ("scoring_speed", ["--rows", "shared", "generation", "rolling", "evaluate"], "texts equal"),
    ("scoring_speed", ["--rows", "commits"], "commits, texts equal"),
    ("token_growth", [], "ids equal"),
    ("tuning_speed", [], "Trainer, padded"),
    ("window_speed", [], "largest difference"),
]


@pytest.fixture
def benchmark_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Imports as in a script in `benchmarks/`; a single thread, also in processes."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("name", "options", "output"),
    RUNS,
    ids=[" ".join([name, *options]) for name, options, _ in RUNS],
)
@pytest.mark.usefixtures("benchmark_imports")
def test_smallest_size(
    name: str,
    options: list[str],
    output: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--smoke", *options])
    assert importlib.import_module(name).main() == 0
    assert output in capsys.readouterr().out


def test_every_benchmark_has_a_run() -> None:
    assert {name for name, _, _ in RUNS} == set(SCRIPTS)


def test_names_shadow_nothing() -> None:
    installed = [path for path in sys.path if Path(path or ".").resolve() != FOLDER]
    for name in NAMES:
        assert importlib.machinery.PathFinder.find_spec(name, installed) is None, name
        assert not (ROOT / name).exists(), name
        assert name not in sys.stdlib_module_names


def test_a_benchmark_starts_as_a_script() -> None:
    command = [sys.executable, "benchmarks/calibration.py", "--help"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "--repetitions" in result.stdout


def test_make_runs_every_benchmark() -> None:
    makefile = (ROOT / "Makefile").read_text()
    rules = re.findall(r"^([\w-]+):.*\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)
    commands = "".join(body for target, body in rules if target in TARGETS)
    scripts = re.findall(r"python benchmarks/(\w+)\.py", commands)
    assert set(scripts) == set(SCRIPTS)
    assert commands.count("benchmarks/") == len(scripts)


@pytest.mark.usefixtures("benchmark_imports")
def test_steps_on_a_gpu_end_in_time_and_say_what_they_printed() -> None:
    gpu = importlib.import_module("gpu")
    steps = [
        gpu.Step("Prints", ("-c", "print('one')"), 60, 2),
        gpu.Step("Fails", ("-c", "raise SystemExit('no')"), 60),
        gpu.Step("Lasts", ("-c", "import time; print('begun', flush=True); time.sleep(600)"), 5),
    ]
    results = [(step, *gpu.run(step)) for step in steps]
    assert [succeeded for _, succeeded, _ in results] == [True, False, False]
    assert [output for _, _, output in results] == [
        "one\n\none\n",
        "no\n",
        "begun\nended after 5 s\n",
    ]
    page = gpu.page("a device", results)
    assert "Device: a device" in page
    assert "## Fails (failed)\n\n`python -c raise SystemExit('no')`\n" in page
    assert "`, 2 at once" in page


def test_the_page_about_a_gpu_is_what_the_benchmark_writes() -> None:
    assert (ROOT / "docs" / "gpu.md").read_text().startswith(_head_of_gpu_page())


def _head_of_gpu_page() -> str:
    text = (FOLDER / "gpu.py").read_text()
    return text.partition('HEAD = """')[2].partition('"""')[0]
