"""CSV files that training writes beside a model, read by analyses.

In: a file and the types of its columns. Out: a data frame, in which names are what the file says.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from study.errors import StudyError


def read_columns(path: Path, types: Mapping[str, str]) -> pd.DataFrame:
    """Read columns of these types; StudyError if the file lacks one, or a value of its type.

    Texts are never taken for missing values or numbers; an empty number is missing.
    """
    numbers = {name: [""] for name, kind in types.items() if kind == "float"}
    try:
        frame = pd.read_csv(
            path,
            dtype=dict(types),
            usecols=list(types),
            keep_default_na=False,
            na_values=numbers,
            float_precision="round_trip",
        )
    except (ValueError, OSError) as error:
        raise StudyError(
            path,
            found=f"no such table ({error})",
            expected=f"columns {', '.join(types)}",
            do="Remove the folder of the model and run the study again",
        ) from None
    return frame[list(types)]
