"""The training examples of a recipe: token ids with label weights, and counts for the record.

In: a recipe, the pools of its mixture, a tokenizer. Out: `TuningData`. Rows that the chat template
cannot render, that are too long, or in which no token carries loss are dropped and counted.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from study.config.study import Study
from study.config.tuning.grids import Recipe
from study.errors import StudyError
from study.models.chat_templates.rendering import Rendering
from study.tuning.data.label_weights import label_weights
from study.tuning.data.marking import Marking, mark_turns
from study.tuning.data.mixing import Row, mix_rows
from study.tuning.data.rendering import KINDS, EncodedConversation, NotRenderedError, encode
from study.tuning.data.sources import Pool

MAX_UNUSABLE_ROWS = 1000
"Number of rows, none of them usable, after which the mixture is given up."
UNSEEN_SEED_OFFSET = 10**6
"Added to a recipe's seed to draw rows that the training does not see."


@dataclass(frozen=True)
class LabelledExample:
    """One training example."""

    encoded: EncodedConversation
    numerator: np.ndarray
    "float32 [length], see label_weights.py."
    denominator: np.ndarray
    "float32 [length]"

    def __len__(self) -> int:
        return len(self.encoded.ids)


@dataclass(frozen=True)
class TuningData:
    """All training examples of a recipe, in order."""

    rows: tuple[LabelledExample, ...]
    sources: dict[str, int]
    "Number of examples by source."
    dropped: dict[str, int]
    "Number of dropped rows by reason."
    truncated: int
    "Number of rows that were truncated to the maximum length."
    marked_turns: int
    "Number of turns that the indicator marks."

    def digest(self) -> str:
        """sha256 over token ids and label weights."""
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update(row.encoded.ids.tobytes())
            digest.update(row.numerator.tobytes())
            digest.update(row.denominator.tobytes())
        return digest.hexdigest()

    def tokens(self) -> dict[str, int]:
        """Number of tokens by kind, of all kinds, and of those that carry loss."""
        counts = Counter(dict.fromkeys(KINDS, 0))
        carrying_loss = 0
        for row in self.rows:
            for kind, number in enumerate(np.bincount(row.encoded.kinds, minlength=len(KINDS))):
                counts[KINDS[kind]] += int(number)
            carrying_loss += int((row.numerator > 0).sum())
        return {**counts, "all": sum(counts.values()), "carrying_loss": carrying_loss}


def tuning_data(
    recipe: Recipe,
    study: Study,
    pools: Sequence[Pool],
    tokenizer: Any,
    rendering: Rendering,
    *,
    max_length: int,
    marking: Marking | None = None,
) -> TuningData:
    """Mix, mark, render and label the rows of a recipe.

    StudyError if a row is longer than `max_length` tokens and the mixture refuses such rows, or if
    no row is usable.
    """
    mixture = recipe.mixture
    examples: list[LabelledExample] = []
    sources: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    truncated = marked_turns = tokens = 0
    for index, row in enumerate(mix_rows(mixture, pools, recipe.format, study.layout, recipe.seed)):
        if not examples and index >= MAX_UNUSABLE_ROWS:
            break
        turns, emphasis, marks = marking.apply(index, row) if marking else (row.turns, None, 0)
        try:
            encoded = encode(turns, tokenizer, rendering, recipe.marker_token)
        except NotRenderedError as error:
            dropped[str(error)] += 1
            continue
        if len(encoded.ids) > max_length:
            if mixture.longer == "refuse":
                raise _row_too_long(recipe, study, row, len(encoded.ids), max_length)
            if mixture.longer == "drop":
                dropped[f"longer than {max_length} tokens"] += 1
                continue
            truncated += 1
            encoded = encoded.truncated(max_length)
        example = LabelledExample(encoded, *label_weights(encoded, recipe.loss, emphasis))
        if not example.numerator.any():
            dropped["cut before any token that carries loss"] += 1
            continue
        examples.append(example)
        sources[row.source] += 1
        marked_turns += marks
        tokens += len(example)
        if mixture.tokens is not None and tokens >= mixture.tokens:
            break
    if not examples:
        reasons = "; ".join(dropped) or "nothing was drawn"
        raise study.error(
            recipe.mixture_key,
            found=f"no row that can be used: {reasons}",
            expected="rows to tune on",
        )
    return TuningData(tuple(examples), dict(sources), dict(dropped), truncated, marked_turns)


def unseen_rows(
    recipe: Recipe,
    study: Study,
    pools: Sequence[Pool],
    tokenizer: Any,
    rendering: Rendering,
    *,
    rows: int,
    max_length: int,
    device: str,
    report: Callable[[str], object] = lambda what: None,
) -> Sequence[LabelledExample]:
    """Rows of the same mixture that are drawn with another seed and marked by the same rule.

    Of a source with a fixed number of rows, some are also in the training data: all of them, if the
    training uses the whole source.
    """
    mixture = recipe.mixture.model_copy(update={"rows": rows, "tokens": None})
    other = replace(recipe, mixture=mixture, seed=recipe.seed + UNSEEN_SEED_OFFSET)
    marking = mark_turns(other, study, pools, device, report)
    data = tuning_data(
        other, study, pools, tokenizer, rendering, max_length=max_length, marking=marking
    )
    return data.rows


def _row_too_long(
    recipe: Recipe, study: Study, row: Row, length: int, max_length: int
) -> StudyError:
    return study.error(
        recipe.mixture_key,
        found=f"a row of {row.source} with {length} tokens",
        expected=f"{max_length} at most, the model's context window or the optimiser's `longest`",
        do="Set `longer: drop` or `longer: truncate` in the mixture; such rows are counted",
    )
