"""Masks of attention, on the device of their layer and in the forms that kernels need.

In: boolean arrays on the CPU. Out: `Mask`, built once for all layers of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from study.inference.memory import moved_to

BIAS_ALIGNMENT = 8
"Entries to which rows of a bias are aligned: CUDA's kernel needs rows at multiples of 16 bytes."


@dataclass(frozen=True, eq=False)
class Mask:
    """Which keys each query may attend to."""

    allowed: Tensor
    "[B or 1, 1, T, S], boolean."
    dtype: torch.dtype
    "Number format of the scores to which `bias` is added."
    empty_rows: Tensor | None
    "[B or 1, 1, T]: the queries that may attend to no key; None if there are none."
    _biases: list[Tensor] = field(default_factory=list)
    _repeated: dict[int, Mask] = field(default_factory=dict)

    @classmethod
    def from_allowed(cls, allowed: Tensor, dtype: torch.dtype, device: torch.device) -> Mask:
        """The mask of `allowed`, which is on the CPU."""
        empty = ~allowed.any(-1)
        empty_rows = moved_to(device, empty.numpy()) if empty.any() else None
        return cls(moved_to(device, allowed.numpy()), dtype, empty_rows)

    def bias(self) -> Tensor:
        """The mask as numbers that are added to scores."""
        if not self._biases:
            length = self.allowed.shape[-1]
            aligned = -(-length // BIAS_ALIGNMENT) * BIAS_ALIGNMENT
            shape = (*self.allowed.shape[:-1], aligned)
            bias = torch.zeros(shape, dtype=self.dtype, device=self.allowed.device)[..., :length]
            # The least finite number: a row of only -inf would give NaN.
            bias.masked_fill_(~self.allowed, torch.finfo(self.dtype).min)
            self._biases.append(bias)
        return self._biases[0]

    def repeated(self, number: int) -> Mask:
        """The mask of `number` times as many queries: all of them, all of them again, and so on."""
        if number == 1 or self.allowed.shape[2] == 1:
            return self
        if number not in self._repeated:
            empty = self.empty_rows
            self._repeated[number] = Mask(
                self.allowed.repeat(1, 1, number, 1),
                self.dtype,
                None if empty is None else empty.repeat(1, 1, number),
            )
        return self._repeated[number]
