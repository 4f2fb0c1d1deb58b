"""What a worker may use, how much a model needs, and what is read ahead."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from study.hardware import SPARE_BYTES, cores_of, device_bytes, device_kind, devices_needed
from study.inference import SharedPrefixLM
from study.models.pairs import ModelRef, zoo
from study.planning.plan import Job
from study.running.executors.retries import Attempt
from study.running.executors.weight_prefetch import read_ahead
from study.running.executors.worker import Place


def job(params_b: float) -> Job:
    return Job(ModelRef("somewhere"), params_b, ())


def test_a_model_that_one_gpu_does_not_hold_takes_several() -> None:
    memory = 80 * 2**30
    assert devices_needed(job(7), "bfloat16", memory) == 1
    assert devices_needed(job(70), "bfloat16", memory) == 2
    assert devices_needed(job(70), "float32", memory) == 4
    assert devices_needed(job(1e-9 * (memory - SPARE_BYTES) / 2), "auto", memory) == 1
    assert devices_needed(job(70), "bfloat16", None) == 1


def test_cores_are_shared_out() -> None:
    own = os.sched_getaffinity(0)
    assert cores_of(1) == [frozenset(own)]
    if len(own) > 1:
        one, two = cores_of(2)
        assert not one & two
    assert all(len(cores) == 1 for cores in cores_of(len(own) + 1))


@pytest.mark.parametrize(
    ("devices", "before", "after"),
    [
        (("cpu",), "", ""),
        (("cuda:1",), None, "1"),
        (("cuda:0", "cuda:2"), "4,5,GPU-6", "4,GPU-6"),
    ],
)
def test_a_worker_sees_its_own_devices_alone(
    devices: tuple[str, ...], before: str | None, after: str
) -> None:
    core = min(os.sched_getaffinity(0))
    place = Place(devices, frozenset({core}), 0.0)
    code = (
        "import os\n"
        "from study.running.executors.worker import Place\n"
        f"print(Place({place.devices!r}, {place.cores!r}, 0.0).isolate(), "
        "os.environ['CUDA_VISIBLE_DEVICES'], os.sched_getaffinity(0), sep='|')"
    )
    environment = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
    if before is not None:
        environment["CUDA_VISIBLE_DEVICES"] = before
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True,
                          text=True, check=True)  # fmt: skip
    name = "cpu" if devices == ("cpu",) else "cuda:0"
    assert done.stdout.strip() == f"{name}|{after}|{{{core}}}"


def test_weights_are_read_ahead_where_memory_keeps_them(tmp_path: Path) -> None:
    folder = Path(zoo()[0].base.path)
    thread = read_ahead(folder)
    assert thread is not None
    thread.join(20)
    assert not thread.is_alive()
    assert read_ahead(tmp_path) is None
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(2**43)  # no block of it is on the disk
    assert read_ahead(tmp_path) is None


def test_the_second_attempt_takes_half_the_tokens_and_there_is_no_third() -> None:
    second = Attempt(job(1)).after_death()
    assert second is not None
    assert second.after_death() is None
    whole, half = (
        SharedPrefixLM(pretrained=zoo()[0].base.path, device="cpu", memory_share=share)
        for share in (1.0, second.memory_share)
    )
    assert whole.probed is not None
    assert half.probed is not None
    assert whole.probed.engine is not None
    assert half.probed.engine is not None
    assert half.probed.engine.budget == whole.probed.engine.budget.halved()


def test_the_driver_is_asked_of_the_gpu_that_this_process_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver's command in the driver's place: it answers with what it was asked."""
    asked = tmp_path / "asked"
    command = tmp_path / "nvidia-smi"
    command.write_text(
        f'#!/bin/sh\necho "$@" >> {asked}\n'
        'case "$3" in *memory*) echo 81559;; *) echo "NVIDIA H100";; esac\n'
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-7")
    assert device_bytes("cuda:1") == 81559 * 2**20
    assert device_kind("cuda", "bfloat16", 1) == "cuda NVIDIA H100 bfloat16"
    assert [line.split()[:2] for line in asked.read_text().splitlines()] == [
        ["-i", "GPU-7"],
        ["-i", "4"],
    ]
    assert device_bytes("cpu") is None
    command.write_text("#!/bin/sh\nexit 9\n")
    assert device_bytes("cuda:0") is None
    assert device_kind("cuda:0", "auto", 1) == "cuda unknown auto"
    assert device_kind("cpu", "auto", 2).endswith(" 2 threads")
