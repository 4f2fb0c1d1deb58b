"""The operators of the CUDA branch, on fake tensors: arguments, shapes and strides.

No GPU is needed: fake tensors have a device and a shape, but no numbers. PyTorch's own descriptions
of its operators check the arguments and say what comes out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from typing_extensions import override

from study.inference.attention.kernels import ScoreTransform, attention
from study.inference.attention.masks import BIAS_ALIGNMENT, Mask
from study.inference.attention.segments import Segments
from study.inference.attention.windows import WindowBand, window_attention

TRANSFORM = ScoreTransform(0.1)
HALF = (torch.float16, torch.bfloat16)
DIMS = (64, 80, 96, 128, 256)
HEADS = [(8, 8), (8, 2), (8, 1)]
FLASH = "_scaled_dot_product_flash_attention"
EFFICIENT = "_scaled_dot_product_efficient_attention"
VARIABLE_LENGTH = "_flash_attention_forward"


class Calls(TorchDispatchMode):
    """Records the operators that are called, with their arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.attention: list[tuple[str, Any, Any]] = []
        self.names: list[str] = []

    @override
    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = function._schema.name.removeprefix("aten::")
        self.names.append(name)
        if "attention" in name:
            self.attention.append((name, args, kwargs or {}))
        return function(*args, **(kwargs or {}))


def get_item(x: torch.Tensor, index: Any) -> torch.Tensor:
    """`x[index]` by operators: Python's indexing and `~` need a PyTorch built for CUDA."""
    if isinstance(index, torch.Tensor):
        return torch.ops.aten.index.Tensor(x, [index])
    entries = [*index] if isinstance(index, tuple) else [index]
    if Ellipsis in entries:
        place = entries.index(Ellipsis)
        entries[place : place + 1] = [slice(None)] * (x.ndim - len(entries) + 1)
    dim = 0
    for entry in entries:
        if entry is None:
            x = x.unsqueeze(dim)
        elif isinstance(entry, int):
            x = torch.ops.aten.select.int(x, dim, entry)
            continue
        else:
            x = torch.ops.aten.slice.Tensor(x, dim, entry.start, entry.stop)
        dim += 1
    return x


def set_item(x: torch.Tensor, index: Any, value: torch.Tensor) -> None:
    """`x[index] = value` by operators."""
    if isinstance(index, torch.Tensor):
        torch.ops.aten.index_put_(x, [index], value)
    else:
        get_item(x, index).copy_(value)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    monkeypatch.setattr(torch.Tensor, "__getitem__", get_item)
    monkeypatch.setattr(torch.Tensor, "__setitem__", set_item)
    monkeypatch.setattr(torch.Tensor, "__invert__", lambda x: x.bitwise_not())
    with FakeTensorMode(allow_non_fake_inputs=True), Calls() as recorded:
        yield recorded


def fake(*shape: int, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    """As transformers passes it: [B, H, T, D], with the heads of a token next to each other."""
    batch, heads, length, dim = shape
    return torch.empty(batch, length, heads, dim, dtype=dtype, device="cuda").transpose(1, 2)


def nodes(length: int, heads: int, dim: int, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    return torch.empty(length, heads, dim, dtype=dtype, device="cuda")


def fake_mask(batch: int, queries: int, keys: int, dtype: torch.dtype) -> Mask:
    allowed = torch.empty(batch, 1, queries, keys, dtype=torch.bool, device="cuda")
    return Mask(allowed, dtype, None)


def segments(causal: bool = True, window: WindowBand | None = None) -> Segments:
    """Three segments of 70, 1 and 60 nodes."""
    bounds = np.cumsum([0, 70, 1, 60])
    on_device = torch.empty(4, dtype=torch.int32, device="cuda")
    index = torch.empty(bounds[-1], dtype=torch.int64, device="cuda")
    lengths = tuple(bounds.tolist())
    return Segments(index, index, lengths, lengths, (on_device, on_device), causal, window)


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize(("heads", "groups"), HEADS)
@pytest.mark.parametrize("causal", [True, False])
def test_flash_attention_takes_few_key_heads_as_they_are(
    calls: Calls, causal: bool, heads: int, groups: int, dim: int, dtype: torch.dtype
) -> None:
    q = fake(1, heads, 33, dim, dtype=dtype)
    k, v = (fake(1, groups, 33 if causal else 50, dim, dtype=dtype) for _ in "kv")
    out, lse = attention(q, k, v, TRANSFORM, causal=causal)
    assert out.shape == q.shape
    assert out.dtype == dtype
    assert (lse.shape, lse.dtype) == ((1, heads, 33), torch.float32)
    ((name, args, _),) = calls.attention
    assert name == FLASH
    assert args[1] is k
    assert args[2] is v


@pytest.mark.parametrize("dtype", [*HALF, torch.float32])
@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize(("heads", "groups"), HEADS)
@pytest.mark.parametrize("keys", [50, 64])
def test_masks_are_aligned_and_not_copied_by_head(
    calls: Calls, keys: int, heads: int, groups: int, dim: int, dtype: torch.dtype
) -> None:
    q = fake(3, heads, 20, dim, dtype=dtype)
    k, v = (fake(3, groups, keys, dim, dtype=dtype) for _ in "kv")
    mask = fake_mask(3, 20, keys, dtype)
    for _ in range(2):
        out, lse = attention(q, k, v, TRANSFORM, mask=mask)
    assert out.shape == q.shape
    assert lse.shape == (3, heads, 20)
    (name, args, _), (_, again, _) = calls.attention
    assert name == EFFICIENT
    bias = args[3]
    repeats = heads // groups
    assert bias.shape == (3, groups, repeats * 20, keys)
    assert bias.stride(1) == 0 or groups == 1
    assert bias.stride(-1) == 1
    assert bias.stride(-2) % BIAS_ALIGNMENT == 0
    assert args[1] is k
    # Made once for all layers.
    assert again[3].untyped_storage()._cdata == bias.untyped_storage()._cdata


@pytest.mark.parametrize(("heads", "groups"), HEADS)
def test_float32_has_no_flash_attention(calls: Calls, heads: int, groups: int) -> None:
    q, k, v = (fake(1, number, 33, 64, dtype=torch.float32) for number in (heads, groups, groups))
    out, lse = attention(q, k, v, TRANSFORM, causal=True)
    assert (out.shape, lse.shape) == (q.shape, (1, heads, 33))
    ((name, args, _),) = calls.attention
    assert name == EFFICIENT
    assert args[0].shape[:2] == args[1].shape[:2]
    # Keys are views, not copies for every head.
    assert heads == groups or args[1].stride(1) == 0


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize(("heads", "groups"), HEADS)
@pytest.mark.parametrize("window", [None, WindowBand(5)])
def test_all_segments_are_one_call(
    calls: Calls,
    window: WindowBand | None,
    heads: int,
    groups: int,
    dim: int,
    dtype: torch.dtype,
) -> None:
    q, k, v = (nodes(150, number, dim, dtype) for number in (heads, groups, groups))
    chains = segments(window=window)
    result = chains.attention(q, k, v, TRANSFORM)
    assert result[0].shape == (131, heads, dim)
    assert (result[1].shape, result[1].dtype) == ((131, heads), torch.float32)
    ((name, args, options),) = calls.attention
    assert name == VARIABLE_LENGTH
    assert [x.dtype for x in args[3:5]] == [torch.int32] * 2
    assert args[5:9] == (70, 70, 0.0, True)
    assert options.get("window_size_left") == (4 if window else None)
    out = torch.empty(150, heads, dim, device="cuda")
    lse = torch.empty(150, heads, device="cuda")
    chains.write(result, out, lse)
    chains.merge(result, out, lse)


@pytest.mark.parametrize("dim", [60, 264])
def test_other_head_dimensions_are_computed_without_a_fused_kernel(calls: Calls, dim: int) -> None:
    q, k, v = (fake(1, number, 33, dim) for number in (4, 2, 2))
    out, _ = attention(q, k, v, TRANSFORM, causal=True)
    assert out.shape == q.shape
    assert not calls.attention


@pytest.mark.parametrize("dtype", [*HALF, torch.float32])
def test_bands_of_windows_are_views(calls: Calls, dtype: torch.dtype) -> None:
    q, k, v = (fake(1, number, 400, 64, dtype=dtype) for number in (8, 2, 2))
    window = WindowBand(20)
    for size in (128, 124):
        window._masks[size, dtype, q.device] = fake_mask(1, size, size + 19, dtype)
    out, lse = window_attention(q, k, v, TRANSFORM, window)
    assert (out.shape, lse.shape) == (q.shape, (1, 8, 400))
    assert len(calls.attention) == 3
    for _, args, _ in calls.attention[1:]:
        assert args[1].untyped_storage()._cdata == k.untyped_storage()._cdata


def test_no_call_asks_the_device_for_numbers(calls: Calls) -> None:
    q, k, v = (nodes(150, number, 64) for number in (8, 2, 2))
    chains = segments()
    out, lse = torch.empty(150, 8, 64, device="cuda"), torch.empty(150, 8, device="cuda")
    chains.write(chains.attention(q, k, v, TRANSFORM), out, lse)
    chains.merge(chains.attention(q, k, v, TRANSFORM), out, lse)
    attention(
        fake(1, 8, 20, 64),
        *(fake(1, 2, 50, 64),) * 2,
        TRANSFORM,
        mask=fake_mask(1, 20, 50, torch.bfloat16),
    )
    assert not {"_local_scalar_dense", "nonzero", "equal", "is_nonzero"} & set(calls.names)
