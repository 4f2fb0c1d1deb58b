"""The hardware of this machine: devices, their memory and kind, and how many a model needs.

In: nothing, or a model's size. Out: names of devices, bytes, counts.
"""

from __future__ import annotations

import math
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from study.errors import StudyError, nearest

RESERVED_BYTES = 4 * 2**30
"GPU memory that is not available for weights."
CPU = "cpu"
_GPU = re.compile(r"cuda:(0|[1-9][0-9]{0,3})", re.ASCII)
GPU_FILES = ("nvidia*", "kfd", "dxg")
"Device files of which a machine with a GPU has one: of NVIDIA, of AMD, of Windows' Linux."
BYTES_PER_PARAMETER = {"float32": 4}
HALF_PRECISION_BYTES = 2
"Bytes of a parameter in the other number formats; `auto` nearly always is one of them."


def default_devices() -> list[str]:
    """Every GPU; without one, a CPU worker per core."""
    if any(True for pattern in GPU_FILES for _ in Path("/dev").glob(pattern)):
        import torch  # takes seconds to import

        if torch.cuda.is_available():
            return [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return cpu_devices()


def cpu_devices() -> list[str]:
    """A CPU worker per core."""
    return ["cpu"] * len(os.sched_getaffinity(0))


def check_device_names(devices: Sequence[str]) -> None:
    """StudyError unless these can be the devices of workers: `cpu`, repeated for more workers, or
    GPUs such as `cuda:0`, each once."""
    for device in devices:
        if device != CPU and not _GPU.fullmatch(device):
            near = re.sub("^(gpu|cuda):?", "cuda:", device.lower())
            near += "0" if near == "cuda:" else ""
            raise StudyError(
                "--device",
                found=repr(device),
                expected="`cpu`, or `cuda:` and the number of a GPU",
                do=nearest(near, (CPU, *(f"cuda:{index}" for index in range(10)))),
            )
    gpus = [device for device in devices if device != CPU]
    if gpus and len(gpus) < len(devices):
        raise StudyError(
            "--device", found=f"{CPU} and {gpus[0]}", expected="GPUs only, or the CPU only"
        )
    if len(set(gpus)) < len(gpus):
        repeated = next(gpu for gpu in gpus if gpus.count(gpu) > 1)
        raise StudyError("--device", found=f"{repeated!r} twice", expected="each GPU once")


def check_devices(devices: Sequence[str]) -> None:
    """StudyError if a device is none, or a GPU that this machine does not have."""
    check_device_names(devices)
    if not devices or devices[0] == CPU:
        return
    import torch

    number = torch.cuda.device_count()
    for device in devices:
        if int(device.partition(":")[2]) >= number:
            gpus = f"cuda:0 to cuda:{number - 1}" if number > 1 else "cuda:0"
            raise StudyError(
                "--device",
                found=repr(device),
                expected=f"one of the GPUs that torch can use here, {gpus}"
                if number
                else f"{CPU}: torch finds no GPU here",
                do="" if number else "Check the driver and the installed build of torch",
            )


def device_bytes(device: str) -> int | None:
    """Memory of a GPU in bytes; None if unknown."""
    mebibytes = _query_driver(device, "memory.total")
    return int(mebibytes) * 2**20 if mebibytes.isdigit() else None


def device_kind(device: str, dtype: str, threads: int) -> str:
    """A description of what decides a device's speed."""
    if device.startswith("cuda"):
        return f"cuda {_query_driver(device, 'name') or 'unknown'} {dtype}"
    return f"cpu {_processor()} {threads} threads"


def computing_device(device: str) -> dict[str, Any]:
    """The machine and the device that computes, for the records of what it computed."""
    import torch

    facts = {"machine": platform.machine(), "device": device, "threads": torch.get_num_threads()}
    if device.startswith("cuda"):
        facts["gpu"] = torch.cuda.get_device_name(torch.device(device))
    return facts


def _query_driver(device: str, field: str) -> str:
    """A field of nvidia-smi for a GPU; empty if unknown.

    The driver is asked, not torch: a process that initialises CUDA occupies memory on the GPU.
    """
    if not device.startswith("cuda"):
        return ""
    index = int(device.partition(":")[2] or 0)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    name = visible.split(",")[index] if visible else str(index)
    command = ["nvidia-smi", "-i", name, f"--query-gpu={field}", "--format=csv,noheader,nounits"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout.strip()


@cache
def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return "unknown"


def devices_needed(params_b: float, dtype: str, memory: int | None) -> int:
    """Number of devices with `memory` bytes that hold a model; 1 if the memory is unknown."""
    if memory is None:
        return 1
    return max(1, math.ceil(weight_bytes(params_b, dtype) / max(1, memory - RESERVED_BYTES)))


def weight_bytes(params_b: float, dtype: str) -> float:
    """Memory of the weights of a model with `params_b` billion parameters."""
    return 1e9 * params_b * BYTES_PER_PARAMETER.get(dtype, HALF_PRECISION_BYTES)


def split_cores(workers: int) -> list[frozenset[int]]:
    """This process's cores divided evenly between workers; each gets at least one."""
    cores = sorted(os.sched_getaffinity(0))
    share = max(1, len(cores) // max(1, workers))
    return [
        frozenset(cores[(i * share + k) % len(cores)] for k in range(share)) for i in range(workers)
    ]
