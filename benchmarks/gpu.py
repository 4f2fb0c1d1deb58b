"""The first minutes of a machine with a GPU: one command, without a network, ten minutes at most.

    python benchmarks/gpu.py

Runs, each in a process of its own and with a limit of time: the tests that need a GPU, every
architecture in bfloat16 among them; scoring and generation at three sizes beside lm-eval's `hf` and
plain transformers with prefix reuse; two processes on one GPU at once. Writes what they print to
docs/gpu.md, with the device and the commands. Without a GPU nothing is run and nothing is written.
Exits with 1 if a step fails or takes too long.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "gpu.md"
HEAD = """# On a GPU

`make gpu` runs every test that needs a GPU and compares speeds, in ten minutes at most and without
a network. It writes this page.
"""


@dataclass(frozen=True)
class Step:
    """Something to run, once or as several processes at once."""

    title: str
    arguments: tuple[str, ...]
    "Of Python."
    seconds: int
    "After which it is ended."
    processes: int = 1


def scoring(*options: str) -> tuple[str, ...]:
    """Arguments of the benchmark of scoring."""
    return ("benchmarks/scoring_speed.py", "--gpu", *options)


MAIN_ROWS = ("--rows", "shared", "letters", "generation")
STEPS = (
    Step("Tests", ("-m", "pytest", "-m", "gpu", "-q"), 150),
    Step("0.5 billion parameters", scoring("--shapes", "0.5B", *MAIN_ROWS), 100),
    Step("1.5 billion parameters", scoring("--shapes", "1.5B", *MAIN_ROWS), 100),
    Step("7 billion parameters", scoring("--shapes", "7B", *MAIN_ROWS), 180),
    Step("Two processes on one GPU", scoring("--shapes", "0.5B", "--rows", "shared"), 60, 2),
)


def run(step: Step) -> tuple[bool, str]:
    """Run a step; whether it succeeded, and what it printed."""
    command = [sys.executable, *step.arguments]
    started = [
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(step.processes)
    ]
    end = time.monotonic() + step.seconds
    outputs, succeeded = [], True
    for process in started:
        try:
            output, _ = process.communicate(timeout=max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            output = process.communicate()[0] + f"ended after {step.seconds} s\n"
        succeeded &= process.returncode == 0
        outputs.append(output)
    return succeeded, "\n".join(outputs)


def page(device: str, results: Sequence[tuple[Step, bool, str]]) -> str:
    """The page with the output of every step."""
    parts = [HEAD, f"Device: {device}, torch {torch.__version__}.\n"]
    for step, succeeded, output in results:
        times = f", {step.processes} at once" if step.processes > 1 else ""
        state = "" if succeeded else " (failed)"
        command = " ".join(["python", *step.arguments])
        parts.append(f"## {step.title}{state}\n\n`{command}`{times}\n\n```text\n{output}```\n")
    return "\n".join(parts)


def main() -> int:
    """Run all steps; 0 if each succeeded, or if there is no GPU."""
    if not torch.cuda.is_available():
        print("no CUDA device: nothing was measured")
        return 0
    results = []
    for step in STEPS:
        print(f"{step.title}: {step.seconds} s at most", flush=True)
        succeeded, output = run(step)
        print(output, flush=True)
        results.append((step, succeeded, output))
        PAGE.write_text(page(torch.cuda.get_device_name(), results), encoding="utf-8")
    return 0 if all(succeeded for _, succeeded, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
