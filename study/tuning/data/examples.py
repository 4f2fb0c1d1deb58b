"""The rows of a recipe, in tokens with label weights, and what is to be told of them.

In: a recipe, its mixture's pools, a tokenizer. Out: `TuningData`. Rows that a template cannot
show, that are too long, or in which no token carries loss are left out and counted.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from study.config.tuning.grids import Recipe
from study.config.wording import Layout
from study.errors import StudyError
from study.tuning.data.label_weights import label_weights
from study.tuning.data.marking import Marking
from study.tuning.data.mixing import Row, mixed_rows
from study.tuning.data.rendering import KINDS, Encoded, NotRenderedError, encode
from study.tuning.data.sources import Pool

HOPELESS = 1000
"So many rows of which none can be shown, and there is no point in trying further."


@dataclass(frozen=True)
class Labelled:
    """One row to tune on."""

    row: Encoded
    numerator: np.ndarray
    "float32 [length]"
    denominator: np.ndarray
    "float32 [length]"


@dataclass(frozen=True)
class TuningData:
    """All rows of a recipe, in their order."""

    rows: tuple[Labelled, ...]
    sources: dict[str, int]
    "Rows by source."
    dropped: dict[str, int]
    "Rows left out, by the reason."
    truncated: int
    "Rows cut to the longest length."
    marked_turns: int
    "User turns that the indicator marks."

    def digest(self) -> str:
        """sha256 over tokens and weights."""
        digest = hashlib.sha256()
        for labelled in self.rows:
            digest.update(labelled.row.ids.tobytes())
            digest.update(labelled.numerator.tobytes())
            digest.update(labelled.denominator.tobytes())
        return digest.hexdigest()

    def tokens(self) -> dict[str, int]:
        """Tokens by kind, and how many carry loss."""
        counts = Counter(dict.fromkeys(KINDS, 0))
        carrying = 0
        for labelled in self.rows:
            for kind, number in enumerate(np.bincount(labelled.row.kinds, minlength=len(KINDS))):
                counts[KINDS[kind]] += int(number)
            carrying += int((labelled.numerator > 0).sum())
        return {**counts, "all": sum(counts.values()), "carrying_loss": carrying}


def tuning_data(
    recipe: Recipe,
    chosen: Sequence[Pool],
    tokenizer: Any,
    layout: Layout,
    *,
    longest: int,
    marking: Marking | None = None,
    on_row: Callable[[], object] = lambda: None,
) -> TuningData:
    """Mixes, renders and labels; StudyError for rows longer than `longest` where the mixture
    refuses them, and where no row is left."""
    mixture, key = recipe.mixture, f"tuning.mixtures.{recipe.mixture_name}"
    kept: list[Labelled] = []
    sources: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    truncated = marked = total = 0
    rows = mixed_rows(mixture, chosen, recipe.format, layout, recipe.seed)
    for place, row in enumerate(rows):
        on_row()
        if not kept and place >= HOPELESS:
            break
        turns, emphasis, marks = marking(place, row) if marking else (row.turns, None, 0)
        try:
            encoded = encode(turns, tokenizer, recipe.marker_token)
        except NotRenderedError as error:
            dropped[str(error)] += 1
            continue
        if len(encoded.ids) > longest:
            if mixture.longer == "refuse":
                raise _too_long(recipe, key, row, len(encoded.ids), longest)
            if mixture.longer == "drop":
                dropped[f"longer than {longest} tokens"] += 1
                continue
            truncated += 1
            encoded = Encoded(*(part[:longest] for part in
                                (encoded.ids, encoded.kinds, encoded.turns)))  # fmt: skip
        numerator, denominator = label_weights(encoded, recipe.loss, emphasis)
        if not numerator.any():
            dropped["cut before any token that carries loss"] += 1
            continue
        kept.append(Labelled(encoded, numerator, denominator))
        sources[row.source] += 1
        marked += marks
        total += len(encoded.ids)
        if mixture.tokens is not None and total >= mixture.tokens:
            break
    if not kept:
        reasons = "; ".join(dropped) or "nothing was drawn"
        raise StudyError(recipe.study_file, key, found=f"no row that can be used: {reasons}",
                         expected="rows to tune on")  # fmt: skip
    return TuningData(tuple(kept), dict(sources), dict(dropped), truncated, marked)


def _too_long(recipe: Recipe, key: str, row: Row, found: int, longest: int) -> StudyError:
    return StudyError(
        recipe.study_file,
        key,
        found=f"a row of {row.source} with {found} tokens",
        expected=f"{longest} at most, the model's window or the optimiser's `longest`",
        do="Set `longer: drop` or `longer: truncate` in the mixture; what it does is counted",
    )
