"""Encoded texts and requests, cached for all models of a process with the same tokenizer.

In: the identity of an encoding, and texts. Out: token ids, by the digest of both; from memory, from
a store that processes share, or from the tokenizer. Everything that decides the ids is part of the
digest, so that nothing can be found under it but what the tokenizer would give.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np

from study.inference.loglikelihood import EncodedRequests
from study.inference.prefix_tree import TokenSequences

MAX_CACHED_TOKENS = 2**23
"""The least recently used encodings are dropped when all have more tokens than this. With the
prefix trees of requests, a token takes about 40 bytes."""
_LONG, _SHORT = np.dtype("<i8"), np.dtype("<i4")


class EncodingStore(Protocol):
    """Content by key, which other processes may write."""

    def read(self, key: str) -> bytes | None:
        """What was written under a key; None if there is nothing that can be used."""

    def write(self, key: str, content: bytes) -> None:
        """Store the content that belongs to a key."""


class EncodingCache:
    """Token ids by digest."""

    def __init__(self, store: EncodingStore | None = None) -> None:
        self._store = store
        self._requests: OrderedDict[str, EncodedRequests] = OrderedDict()
        self._tokens = 0

    def get(self, key: str, encode: Callable[[], EncodedRequests]) -> EncodedRequests:
        """The requests under a key; `encode` is called if they are not stored."""
        if key not in self._requests:
            self._requests[key] = self._stored(key) or self._encoded(key, encode)
            self._tokens += self._requests[key].size
            while self._tokens > MAX_CACHED_TOKENS and len(self._requests) > 1:
                self._tokens -= self._requests.popitem(last=False)[1].size
        self._requests.move_to_end(key)
        return self._requests[key]

    def _stored(self, key: str) -> EncodedRequests | None:
        content = None if self._store is None else self._store.read(key)
        return None if content is None else unpacked(content)

    def _encoded(self, key: str, encode: Callable[[], EncodedRequests]) -> EncodedRequests:
        requests = encode()
        if self._store is not None:
            self._store.write(key, packed(requests))
        return requests


def encoding_key(identity: str, kind: str, texts: Iterable[tuple[str, str]]) -> str:
    """sha256 over an encoding, a kind of request and its texts, in order."""
    digest = hashlib.sha256(json.dumps([identity, kind]).encode())
    previous = None
    for context, continuation in texts:
        # A context is mostly followed by several answers: it is hashed once.
        for text in (continuation,) if context == previous else (context, continuation):
            content = text.encode(errors="surrogatepass")
            digest.update(b"%d " % len(content) + content)
        digest.update(b"same" if context == previous else b"new")
        previous = context
    return digest.hexdigest()


def packed(requests: EncodedRequests) -> bytes:
    """Encoded requests as bytes: the lengths of five arrays, and the arrays."""
    inputs = requests.inputs
    long = [inputs.shared, inputs.offsets, requests.starts]
    short = [inputs.tokens, requests.answers]
    sizes = np.array([*map(len, long), *map(len, short)])
    parts = [array.astype(_LONG).tobytes() for array in (sizes, *long)]
    return b"".join([*parts, *(array.astype(_SHORT).tobytes() for array in short)])


def unpacked(content: bytes) -> EncodedRequests:
    """What `packed` was given."""
    sizes = np.frombuffer(content, _LONG, 5).tolist()
    long = np.frombuffer(content, _LONG, sum(sizes[:3]), 5 * _LONG.itemsize).astype(np.int64)
    position = (5 + len(long)) * _LONG.itemsize
    short = np.frombuffer(content, _SHORT, sum(sizes[3:]), position).astype(np.int32)
    shared, offsets, starts = np.split(long, np.cumsum(sizes[:2]))
    tokens, answers = np.split(short, sizes[3:4])
    return EncodedRequests(TokenSequences(shared, offsets, tokens), answers, starts)
