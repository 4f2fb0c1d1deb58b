"""Memory: how much may be used, what a first budget is, and recovery from running out of it.

In: a device, the sizes of a model, errors that were raised on the device. Out: numbers of bytes,
a `Budget` for forward passes, a batch size for lm-eval's own path.
"""

from __future__ import annotations

import gc
from typing import Any

import numpy.typing as npt
import torch

from study.inference.prefix_tree.packed_batches import Budget

CPU_MEMORY = 4 * 2**30
"Bytes that the evaluation of one model may use on a computer without a GPU."
PROJECTION_MEMORY = {"cpu": 2**27, "cuda": 2**30}
"Bytes, by device, of the logits that are projected at a time, and of what is computed from them."
BYTES_PER_LOGIT = 12
"Of a logit, at most 4 bytes, and of the two float32 copies that its log-softmax makes."
MAX_PLAIN_BATCH = 64
"Largest batch size of lm-eval's own path."


def free_memory(device: torch.device) -> int:
    """Bytes that may be used: the free memory of a GPU, or `CPU_MEMORY` on other devices."""
    if device.type != "cuda":
        return CPU_MEMORY
    free, _ = torch.cuda.mem_get_info(device)
    reusable = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + reusable)


def initial_budget(device: torch.device, vocabulary: int, width: int) -> Budget:
    """The budget to start with, for a model with this vocabulary and embedding width.

    On a CPU, sizes at which its caches are used well; on a GPU, a share of the free memory.
    """
    if device.type != "cuda":
        return Budget(tokens=min(8192, max(512, 2**19 // width)), rows=max(64, 2**24 // vocabulary))
    rows = free_memory(device) // 8 // (BYTES_PER_LOGIT * vocabulary)
    return Budget(tokens=16384, rows=int(min(16384, max(64, rows))))


def projected_rows(device: torch.device, vocabulary: int) -> int:
    """Number of rows whose logits are computed at a time where the model allows to choose it."""
    memory = PROJECTION_MEMORY.get(device.type, PROJECTION_MEMORY["cpu"])
    return max(1, memory // (BYTES_PER_LOGIT * vocabulary))


def plain_batch_size(
    device: torch.device, length: int, vocabulary: int, memory_share: float
) -> int:
    """Batch size for sequences of `length` tokens whose logits are computed at every position.

    `memory_share` scales it down after a process ran out of memory.
    """
    bytes_per_sequence = 8 * length * vocabulary  # float32 logits, and their log-probabilities
    fitting = min(MAX_PLAIN_BATCH, free_memory(device) // 4 // bytes_per_sequence)
    return int(max(1, memory_share * fitting))


def moved_to(device: torch.device, array: npt.NDArray[Any]) -> torch.Tensor:
    """An array as a tensor on a device, without waiting for what the device computes."""
    tensor = torch.from_numpy(array)
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error means that memory was exhausted, on a GPU or elsewhere."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def release_memory(error: RuntimeError) -> None:
    """Free the tensors of a computation that ran out of memory."""
    error.__traceback__ = None  # its frames hold references to the tensors
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
