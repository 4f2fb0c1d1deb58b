"""Which devices there are, of what kind, and how many of them a model needs.

In: nothing, or a job. Out: names of devices; a number of them.
"""

from __future__ import annotations

import math
import os
import subprocess
from functools import cache
from pathlib import Path

from study.planning.plan import Job

SPARE_BYTES = 4 * 2**30
"Of a GPU's memory, kept for what is not weights."
BYTES_OF = {"float32": 4}
HALF_BYTES = 2
"Of a parameter in the other formats; `auto` is what the weights are in, nearly always one of them."


def default_devices() -> list[str]:
    """Every GPU, or without one a CPU worker per core."""
    import torch

    if torch.cuda.is_available():
        return [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return ["cpu"] * len(os.sched_getaffinity(0))


def device_bytes(device: str) -> int | None:
    """A GPU's memory; None where nothing tells."""
    said = _asked(device, "memory.total")
    return int(said) * 2**20 if said.isdigit() else None


def device_kind(device: str, dtype: str, threads: int) -> str:
    """A device by what makes it fast or slow."""
    if device.startswith("cuda"):
        return f"cuda {_asked(device, 'name') or 'unknown'} {dtype}"
    return f"cpu {_processor()} {threads} threads"


def _asked(device: str, what: str) -> str:
    """What the driver says of a GPU, without touching it: a process that does holds some of its
    memory. Empty where nothing tells."""
    if not device.startswith("cuda"):
        return ""
    number = int(device.partition(":")[2] or 0)
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    name = seen.split(",")[number] if seen else str(number)
    command = ["nvidia-smi", "-i", name, f"--query-gpu={what}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


@cache
def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return "unknown"


def devices_needed(job: Job, dtype: str, memory: int | None) -> int:
    """How many devices of that memory hold a job's model; one where nothing is known."""
    if memory is None:
        return 1
    return max(1, math.ceil(weight_bytes(job.params_b, dtype) / max(1, memory - SPARE_BYTES)))


def weight_bytes(params_b: float, dtype: str) -> float:
    """Memory that a model's weights take."""
    return 1e9 * params_b * BYTES_OF.get(dtype, HALF_BYTES)


def cores_of(workers: int) -> list[frozenset[int]]:
    """This process's cores, shared out evenly; each worker has one at least."""
    own = sorted(os.sched_getaffinity(0))
    share = max(1, len(own) // max(1, workers))
    return [
        frozenset(own[(i * share + k) % len(own)] for k in range(share)) for i in range(workers)
    ]
