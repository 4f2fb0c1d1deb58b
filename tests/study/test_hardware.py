"""Devices, their memory and kind, and how many of them a model needs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from study.errors import StudyError
from study.hardware import (
    RESERVED_BYTES,
    check_device_names,
    check_devices,
    computing_device,
    default_devices,
    device_bytes,
    device_kind,
    devices_needed,
    split_cores,
    weight_bytes,
)


def test_a_model_that_one_gpu_does_not_hold_takes_several() -> None:
    memory = 80 * 2**30
    assert devices_needed(7, "bfloat16", memory) == 1
    assert devices_needed(70, "bfloat16", memory) == 2
    assert devices_needed(70, "float32", memory) == 4
    assert devices_needed(1e-9 * (memory - RESERVED_BYTES) / 2, "auto", memory) == 1
    assert devices_needed(70, "bfloat16", None) == 1


def test_bytes_of_weights() -> None:
    assert weight_bytes(7, "bfloat16") == weight_bytes(7, "auto") == 14e9
    assert weight_bytes(7, "float32") == 28e9


def test_cores_are_divided_between_workers() -> None:
    cores = os.sched_getaffinity(0)
    assert split_cores(1) == [frozenset(cores)]
    if len(cores) > 1:
        one, two = split_cores(2)
        assert not one & two
    assert all(len(share) == 1 for share in split_cores(len(cores) + 1))


def test_without_a_gpu_there_is_a_worker_for_each_core() -> None:
    import torch

    number = torch.cuda.device_count()
    gpus = [f"cuda:{index}" for index in range(number)]
    assert default_devices() == (gpus or ["cpu"] * len(os.sched_getaffinity(0)))
    assert computing_device("cpu")["threads"] == torch.get_num_threads()
    assert "gpu" not in computing_device("cpu")


def test_the_driver_is_queried_about_the_gpu_that_this_process_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command in the place of the driver's records what it was called with."""
    calls = tmp_path / "calls"
    command = tmp_path / "nvidia-smi"
    command.write_text(
        f'#!/bin/sh\necho "$@" >> {calls}\n'
        'case "$3" in *memory*) echo 81559;; *) echo "NVIDIA H100";; esac\n'
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-7")
    assert device_bytes("cuda:1") == 81559 * 2**20
    assert device_kind("cuda", "bfloat16", 1) == "cuda NVIDIA H100 bfloat16"
    assert [line.split()[:2] for line in calls.read_text().splitlines()] == [
        ["-i", "GPU-7"],
        ["-i", "4"],
    ]
    assert device_bytes("cpu") is None
    command.write_text("#!/bin/sh\nexit 9\n")
    assert device_bytes("cuda:0") is None
    assert device_kind("cuda:0", "auto", 1) == "cuda unknown auto"
    assert device_kind("cpu", "auto", 2).endswith(" 2 threads")


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        (["cuda"], "found 'cuda'; expected `cpu`, or `cuda:` and .* Did you mean 'cuda:0'"),
        (["gpu0"], "found 'gpu0'; .* Did you mean 'cuda:0'"),
        (["CPU"], "found 'CPU'; .* Did you mean 'cpu'"),
        ([""], "found ''"),
        (["cuda:01"], "found 'cuda:01'"),
        (["cuda:-1"], "found 'cuda:-1'"),
        (["cuda:\u0663"], "found 'cuda:\u0663'"),
        (["cuda:0\n"], "found 'cuda:0"),
        (["mps"], "found 'mps'"),
        (["cpu", "cuda:0"], "found cpu and cuda:0; expected GPUs only, or the CPU only"),
        (["cuda:1", "cuda:0", "cuda:1"], "found 'cuda:1' twice; expected each GPU once"),
    ],
)
def test_what_is_no_list_of_devices(devices: list[str], message: str) -> None:
    for check in (check_device_names, check_devices):
        with pytest.raises(StudyError, match=f"--device: {message}"):
            check(devices)


def test_gpus_that_are_not_here() -> None:
    check_device_names(["cuda:98", "cuda:99"])
    for devices in ([], ["cpu"], ["cpu", "cpu"]):
        check_devices(devices)
    with pytest.raises(StudyError, match="--device: found 'cuda:99'; expected"):
        check_devices(["cuda:99"])
