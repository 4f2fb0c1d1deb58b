"""Interventions: something done to a loaded model while it is evaluated.

In: a loaded transformers model. Out: a context manager; within it, every forward pass is changed.
An arm names interventions after its form, `base-5shot+<name>`. An intervention says what it adds to
the cell's identity, and whether the packed inference engine may be used: the engine replaces the
model's attention, so an intervention that changes attention itself must refuse it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Any, ClassVar


class Intervention(ABC):
    """A change to the forward passes of a model."""

    name: ClassVar[str]
    "Its name in arms."
    allows_packing: ClassVar[bool]
    "Whether log-probabilities stay right when the packed engine computes the attention."

    @abstractmethod
    def applied(self, model: Any) -> AbstractContextManager[None]:
        """Context in which the forward passes of `model` are changed; leaves no trace after it."""

    @abstractmethod
    def identity(self) -> dict[str, object]:
        """Everything besides its name that can move a score, such as the strength of a change."""
