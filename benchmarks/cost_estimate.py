"""The time that `study plan` estimates for the demo, against the time that the demo then takes.

    python benchmarks/cost_estimate.py

A small study of three pairs is run first, as on a machine whose speed was never measured. From its
timings the plan estimates the whole demo, which is then run. Exits with 1 if the estimate is off by
more than a quarter.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from workloads.demo_study import SMALL, demo_run, timed_run

from study.hardware import default_devices
from study.planning.cost.estimate import estimate
from study.planning.cost.throughput import local_speed
from study.planning.plan_study import plan_study
from study.running.dispatch import dispatch
from study.running.executors.local import LocalExecutor

TARGET = 0.25
"Largest relative error of the estimated time."
CALIBRATION = {
    "pairs": [{"source": "zoo", "pair": ["llama-early-xxs", "neox-late-m", "llama-early-l"]}],
    "draws": 1,
    "limit": 60,
}


def main() -> int:
    """Print both times and both sizes; 0 if the estimated time is within the target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="the smallest size, in seconds: assumed speeds, and any error is accepted",
    )
    smoke = parser.parse_args().smoke
    devices = ["cpu"] if smoke else default_devices()
    with tempfile.TemporaryDirectory() as folder:
        if not smoke:
            timed_run(demo_run(Path(folder, "calibration"), **CALIBRATION), len(devices))
        run = demo_run(Path(folder, "demo"), **(SMALL if smoke else {}))
        planned = plan_study(run)
        remaining = estimate(planned.resolved, planned.plan, planned.done)
        estimated = remaining.seconds(local_speed(run, devices), len(devices))
        start = time.perf_counter()
        events = dispatch(planned, LocalExecutor(run, devices))
        failures = [event.failure() for event in events if event.kind == "failed"]
        seconds = time.perf_counter() - start
        assert not failures, failures
        stores = (run.cells.folder, run.responses.folder)
        written = sum(file.stat().st_size for store in stores for file in store.iterdir())
    error = estimated / seconds - 1
    print(
        f"time: {estimated:.0f} s estimated, {seconds:.0f} s taken: {error:+.0%} "
        f"(target {TARGET:.0%})"
    )
    print(f"disk: {remaining.disk / 1e6:.1f} MB estimated, {written / 1e6:.1f} MB written")
    return 0 if smoke or abs(error) <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
