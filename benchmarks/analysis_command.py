"""How much CPU time `study analyze` takes, as a whole and by stage.

    python benchmarks/analysis_command.py runs/demo

In: a finished run, which is copied; without one, a run of the demo's size is written. Printed are
the CPU seconds of the command in a process of its own, and of its stages in this process, whose
imports are not counted. Exits with 1 if the two do not write the same tables, or not those that the
run had before.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from workloads.finished_cells import grid_rows, grid_run, write_finished_cells

from analysis import analyze_run

ARMS = ("base-5shot", "base-0shot", "tuned-0shot-chat")


class Size(NamedTuple):
    """Numbers of a run that is written."""

    arms: tuple[str, ...]
    pairs: int
    families: int
    tasks: int
    items: int


DEMO = Size(ARMS, 31, 8, 30, 40)
SMOKE = Size((ARMS[1], ARMS[2]), 4, 3, 1, 12)


def write_run(folder: Path, size: Size) -> None:
    """Write a run with finished cells."""
    rows = grid_rows(size.arms, size.pairs, size.families, size.tasks)
    write_finished_cells(grid_run(folder, size.arms, size.tasks), rows, size.items)


def command_seconds(run: Path) -> float:
    """CPU seconds of `study analyze` in its own process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "study.cli", "analyze", str(run)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def stage_seconds(run: Path) -> dict[str, float]:
    """CPU seconds of each stage of the analysis."""
    begun: list[tuple[str, float]] = []
    analyze_run(run, on_step=lambda stage: begun.append((stage, time.process_time())))
    ends = [*(start for _, start in begun[1:]), time.process_time()]
    return {stage: end - start for (stage, start), end in zip(begun, ends, strict=True)}


def tables(run: Path) -> dict[str, bytes]:
    """The tables of a run, by file name."""
    return {path.name: path.read_bytes() for path in sorted((run / "tables").glob("*"))}


def main() -> int:
    """Print the seconds; 0 if all tables are equal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", type=Path, help="a finished run, as runs/demo")
    parser.add_argument("--smoke", action="store_true", help="the smallest size, in seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        run = Path(temporary) / "run"
        if options.run:
            shutil.copytree(options.run, run, ignore=shutil.ignore_patterns("figures", "logs"))
        else:
            write_run(run, SMOKE if options.smoke else DEMO)
        written = [tables(run)]
        whole = command_seconds(run)
        written.append(tables(run))
        stages = stage_seconds(run)
        written.append(tables(run))
    for stage, seconds in stages.items():
        print(f"{stage:<24} {seconds:6.2f} s CPU")
    print(f"{'imports and the rest':<24} {whole - sum(stages.values()):6.2f} s CPU")
    last = written.pop()
    differing = {name for before in written for name in before if before[name] != last.get(name)}
    equal = f"tables differ: {sorted(differing)}" if differing else "tables equal"
    print(f"{'`study analyze`':<24} {whole:6.2f} s CPU; {equal}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
