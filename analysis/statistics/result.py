"""The interface that all estimates and tests share.

In: a frozen dataclass that derives from `Result`. Out: a row of a table, and a sentence for a
paper.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any, cast

import pandas as pd


class Result(ABC):
    """Base class of frozen dataclasses that hold a result; undefined numbers are nan."""

    def to_frame(self) -> pd.DataFrame:
        """Return one row with a column per field; nothing is rounded."""
        return pd.DataFrame([asdict(cast(Any, self))])

    @abstractmethod
    def sentence(self) -> str:
        """Describe the result in one sentence for a paper."""
