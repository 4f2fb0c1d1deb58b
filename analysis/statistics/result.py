"""What every estimate and test of the analysis can say of itself.

In: a frozen dataclass. Out: a row of a table, and a sentence for a paper.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any, cast

import pandas as pd


class Result(ABC):
    """Base of frozen dataclasses that hold a result; undefined numbers are nan."""

    def to_frame(self) -> pd.DataFrame:
        """One row with a column for each field; nothing is rounded."""
        return pd.DataFrame([asdict(cast(Any, self))])

    @abstractmethod
    def sentence(self) -> str:
        """For a paper."""
