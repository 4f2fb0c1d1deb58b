"""Budgets, batch sizes and errors on a machine without a GPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from study.inference.memory import (
    CPU_MEMORY,
    free_memory,
    initial_budget,
    is_out_of_memory,
    moved_to,
    plain_batch_size,
    projected_rows,
    release_memory,
)
from study.inference.prefix_tree.packed_batches import Budget

CPU = torch.device("cpu")


def test_free_memory_of_a_cpu() -> None:
    assert free_memory(CPU) == CPU_MEMORY


@pytest.mark.parametrize(
    ("vocabulary", "width", "budget"),
    [
        (300, 32, Budget(8192, 2**24 // 300)),
        (32_000, 512, Budget(1024, 524)),
        (10**6, 8192, Budget(512, 64)),
    ],
)
def test_initial_budget(vocabulary: int, width: int, budget: Budget) -> None:
    assert initial_budget(CPU, vocabulary, width) == budget


def test_projected_rows() -> None:
    assert projected_rows(CPU, 32_000) == 2**27 // (12 * 32_000)
    assert projected_rows(torch.device("cuda"), 128_256) == 2**30 // (12 * 128_256)
    assert projected_rows(CPU, 10**9) == 1


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_arrays_are_moved(device: str) -> None:
    array = np.arange(5, dtype=np.int32)
    tensor = moved_to(torch.device(device), array)
    assert (tensor.device.type, tensor.dtype) == (device, torch.int32)
    assert tensor.tolist() == array.tolist()


def test_plain_batch_size() -> None:
    assert plain_batch_size(CPU, 100, 300, 1.0) == 64
    assert plain_batch_size(CPU, 100, 300, 0.5) == 32
    assert plain_batch_size(CPU, 4096, 32_000, 1.0) == 1
    assert plain_batch_size(CPU, 512, 32_000, 1.0) == CPU_MEMORY // 4 // (8 * 512 * 32_000)


def test_out_of_memory_errors() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    assert not is_out_of_memory(RuntimeError("shapes do not match"))


def test_release_memory_drops_the_frames_of_an_error() -> None:
    with pytest.raises(RuntimeError) as raised:
        raise RuntimeError("can't allocate memory")
    release_memory(raised.value)
    assert raised.value.__traceback__ is None
