"""Memory: how much may be used, what a first budget is, and recovery from running out of it.

In: a device, the sizes of a model, errors that were raised on the device. Out: numbers of bytes,
a `Budget` for forward passes, a batch size for lm-eval's own path.
"""

from __future__ import annotations

import gc

import torch

from study.inference.packed_batches import Budget

CPU_MEMORY = 4 * 2**30
"Bytes that the evaluation of one model may use on a computer without a GPU."
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
    # Bytes per row: the logits and two float32 copies made by log_softmax.
    rows = free_memory(device) // 8 // (12 * vocabulary)
    return Budget(tokens=16384, rows=int(min(16384, max(64, rows))))


def plain_batch_size(
    device: torch.device, length: int, vocabulary: int, memory_share: float
) -> int:
    """Batch size for sequences of `length` tokens whose logits are computed at every position.

    `memory_share` scales it down after a process ran out of memory.
    """
    bytes_per_sequence = 8 * length * vocabulary  # float32 logits, and their log-probabilities
    fitting = min(MAX_PLAIN_BATCH, free_memory(device) // 4 // bytes_per_sequence)
    return int(max(1, memory_share * fitting))


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error means that memory was exhausted, on a GPU or elsewhere."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def release_memory(error: RuntimeError) -> None:
    """Free the tensors of a computation that ran out of memory."""
    error.__traceback__ = None  # its frames hold references to the tensors
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
