"""What `study plan` says the demo takes, against what it then takes.

A small study of three pairs is run first, on a machine that was never measured; from it the plan
estimates the whole demo, which is then run. Run with `python -P benchmarks/estimate.py`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from study.hardware import default_devices
from study.planning.cost.estimate import estimate
from study.planning.cost.throughput import measured_speeds
from study.planning.plan_study import planned, run_planned

DEMO = Path(__file__).parent.parent / "runs" / "demo" / "study.yaml"
TARGET = 0.25


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        small, demo = Path(folder, "small"), Path(folder, "demo")
        content = yaml.safe_load(DEMO.read_text())
        small.mkdir()
        demo.mkdir()
        shutil.copyfile(DEMO, demo / "study.yaml")
        content["pairs"][0]["pair"] = ["llama-early-xxs", "neox-late-m", "llama-early-l"]
        (small / "study.yaml").write_text(yaml.safe_dump({**content, "draws": 1, "limit": 60}))
        subprocess.run([sys.executable, "-P", "-m", "study.cli", "run", str(small)], check=True)
        state, workers = planned(demo), len(default_devices())
        (speed,) = measured_speeds(demo).values()
        left = estimate(state.resolved, state.plan, state.done)
        said = left.seconds(speed, workers)
        began = time.perf_counter()
        failed = [event for event in run_planned(state, None) if event.kind == "failed"]
        took = time.perf_counter() - began
        assert not failed
        disk = sum(file.stat().st_size for file in (demo / "results" / "cells").iterdir())
        off = said / took - 1
        print(f"time: {said:.0f} s said, {took:.0f} s taken: {off:+.0%} (target {TARGET:.0%})")
        print(f"disk: {left.disk / 1e6:.0f} MB said, {disk / 1e6:.0f} MB written")
        if abs(off) > TARGET:
            sys.exit(1)


if __name__ == "__main__":
    main()
