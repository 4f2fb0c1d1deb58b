"""Choices: a number for each response that is equal for equal answers.

In: a table of responses. Out: the index of the likeliest option of each item, as the metric weighs
it, or a code of the generated text. From these the analysis computes how often two models agree.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from study.results.schema import BY_LENGTH, text_code

Ints = NDArray[np.int64]


def choices_of(responses: pa.Table, metric: str) -> Ints | None:
    """The choice of every item; None where an item has neither several options nor one text."""
    logprobs = responses["logprobs"].combine_chunks()
    counts = np.diff(logprobs.offsets.to_numpy())
    if (counts == 0).all():
        return _text_codes(responses)
    if (counts < 2).any():
        return None
    values = logprobs.flatten().to_numpy()
    if metric.split(",")[0] == BY_LENGTH:
        lengths = responses["characters"].combine_chunks().flatten().to_numpy()
        values = values / np.maximum(lengths, 1)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    best = np.repeat(np.maximum.reduceat(values, starts), counts)
    indices = np.arange(len(values)) - np.repeat(starts, counts)
    first = np.minimum.reduceat(np.where(values == best, indices, counts.max()), starts)
    return np.asarray(first, dtype=np.int64)


def _text_codes(responses: pa.Table) -> Ints | None:
    texts = responses["texts"].combine_chunks()
    if (np.diff(texts.offsets.to_numpy()) < 1).any():
        return None
    firsts = texts.flatten().take(texts.offsets[:-1])
    if firsts.null_count:
        return None
    encoded = firsts.dictionary_encode()
    codes = [text_code(text) for text in encoded.dictionary.to_pylist()]
    return np.asarray(np.array(codes)[encoded.indices.to_numpy()], dtype=np.int64)
