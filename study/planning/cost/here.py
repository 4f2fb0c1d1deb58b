"""How fast the devices of this machine are.

In: a study's number format, its folder, the devices. Out: what was measured of such devices, or
what is assumed of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from study.config.study import Study
from study.hardware import cores_of, device_kind
from study.planning.cost.throughput import ASSUMED, Speed, measured_speeds


def speed_here(study: Study, run: Path, devices: Sequence[str]) -> Speed:
    """Of one of the devices, beside the others."""
    threads = len(cores_of(len(devices))[0])
    kind = device_kind(devices[0], study.dtype, threads)
    return measured_speeds(run).get(kind, ASSUMED[kind.split(" ")[0]])
