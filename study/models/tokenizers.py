"""Tokenizers: loading the one that reads a model's prompts, and counting its tokens.

In: a model's folder, and what a recipe changes about the base's tokenizer. Out: a transformers
tokenizer, its chat template, token ids, counts.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from study.errors import StudyError
from study.fact_cache import cached_fact
from study.models.chat_templates.published import set_template
from study.models.chat_templates.rendering import Rendering, TokenizerTemplate, short_prompt
from study.models.folders.contents import read_json
from study.models.folders.files import CONFIG, readable_files
from study.models.folders.loading import loaded
from study.models.folders.opened_files import only_known_files


@dataclass(frozen=True)
class TokenizerOverrides:
    """What a study changes about a tokenizer and how it is loaded."""

    template: str | None = None
    "A recipe's template: `tokenizer` for the tokenizer's own, a known name, or Jinja."
    marker: str | None = None
    "An additional special token."
    trust_remote_code: bool = False
    "Whether code that comes with the tokenizer may run."


def load_tokenizer(folder: Path, overrides: TokenizerOverrides | None = None) -> Any:
    """A new instance of the tokenizer in `folder`, with the overrides applied.

    StudyError if it cannot be loaded, or a file was read that is not part of the model's identity.
    """
    from transformers import AutoTokenizer

    overrides = overrides or TokenizerOverrides()
    trust = overrides.trust_remote_code
    with only_known_files([folder], readable_files(folder, trust_remote_code=trust).all()):
        tokenizer = loaded(
            folder,
            lambda: AutoTokenizer.from_pretrained(folder, trust_remote_code=trust),
            what="a tokenizer",
        )
    if overrides.template is not None:
        set_template(tokenizer, overrides.template, str(folder))
    if overrides.marker is not None:
        tokenizer.add_tokens([overrides.marker], special_tokens=True)
    return tokenizer


@cache
def cached_tokenizer(folder: Path, overrides: TokenizerOverrides | None = None) -> Any:
    """The same instance for each call; it must not be modified."""
    return load_tokenizer(folder, overrides)


def tokenizer_sources(
    digest: str, folder: Path, overrides: TokenizerOverrides | None = None
) -> list[Any] | None:
    """Everything that the tokenizer in `folder`, whose digest is `digest`, is made from, as JSON;
    None if its own code is part of it."""
    overrides = overrides or TokenizerOverrides()
    if overrides.trust_remote_code:
        return None
    try:
        config = read_json(folder / CONFIG)
    except StudyError:  # there is none: the tokenizer says its class itself
        config = {}
    # Where the tokenizer does not say it, transformers derives its class from these.
    kind = [str(config.get(name)) for name in ("model_type", "tokenizer_class")]
    return [digest, *astuple(overrides), *kind]


def tokenizer_files(folder: Path) -> tuple[Path, ...]:
    """The files that `tokenizer_sources` stands for."""
    files = readable_files(folder)
    return (*files.tokenizer, *files.config)


_templates: dict[tuple[Any, ...], TokenizerTemplate] = {}
"By what the tokenizer is made from: models of a family mostly have one, which is large."


def tokenizer_template(
    digest: str, folder: Path, overrides: TokenizerOverrides | None = None
) -> TokenizerTemplate:
    """The chat template of the tokenizer in `folder`, whose digest is `digest`, and the special
    tokens that it may print. StudyError if the tokenizer cannot be loaded."""
    sources = tokenizer_sources(digest, folder, overrides)
    index = (digest, folder, overrides) if sources is None else tuple(sources)

    def derive() -> list[Any]:
        template = TokenizerTemplate.of(load_tokenizer(folder, overrides))
        return [template.text, dict(template.special_tokens)]

    if index not in _templates:
        fact = cached_fact("templates", sources, derive, tokenizer_files(folder))
        _templates[index] = TokenizerTemplate(*fact)
    return _templates[index]


def encode_prompts(tokenizer: Any, prompts: list[str]) -> list[list[int]]:
    """Token ids as lm-eval's model makes them: no second <bos> where a prompt begins with one."""
    bos = tokenizer.bos_token
    has_bos = bool(bos) and bool(prompts) and prompts[0].startswith(bos)
    ids: list[list[int]] = tokenizer(prompts, add_special_tokens=not has_bos).input_ids
    return ids


_counts: dict[str, dict[str, int]] = {}
"By tokenizer digest, tokens of text pieces: many prompts are made of the same pieces."


def token_counts(
    digest: str, folder: Path, pieces: set[str], overrides: TokenizerOverrides | None = None
) -> dict[str, int]:
    """Tokens of each piece of text, and of pieces counted before, without special tokens.

    `digest` is that of the tokenizer in `folder`.
    """
    known = _counts.setdefault(digest, {"": 0})
    if new := sorted(pieces - known.keys()):
        ordered = sorted(pieces)

        def derive() -> list[int]:
            encodings = cached_tokenizer(folder, overrides)(new, add_special_tokens=False)
            counts = {**known, **dict(zip(new, map(len, encodings.input_ids), strict=True))}
            return [counts[piece] for piece in ordered]

        # Under all pieces: which of them are new depends on what was counted before.
        sources = _text_sources(digest, folder, overrides, ordered)
        lengths = cached_fact("token_counts", sources, derive, tokenizer_files(folder))
        known.update(zip(ordered, lengths, strict=True))
    return known


@cache
def template_tokens(
    digest: str,
    folder: Path,
    rendering: Rendering,
    turns: int,
    overrides: TokenizerOverrides | None = None,
) -> int:
    """Tokens of a conversation with `turns` user turns, each message being 'a'.

    `digest` is that of the tokenizer in `folder`.
    """
    text = short_prompt(rendering, turns)

    def derive() -> int:
        return len(encode_prompts(cached_tokenizer(folder, overrides), [text])[0])

    sources = _text_sources(digest, folder, overrides, text)
    return int(cached_fact("template_tokens", sources, derive, tokenizer_files(folder)))


def tree_tokens(
    digest: str,
    folder: Path,
    texts: list[tuple[str, bool]],
    overrides: TokenizerOverrides | None = None,
) -> int:
    """Tokens in the prefix tree of texts, of those marked True without their last token.

    `digest` is that of the tokenizer in `folder`.
    """

    def derive() -> int:
        tokenizer = cached_tokenizer(folder, overrides)
        encodings = tokenizer([text for text, _ in texts], add_special_tokens=False).input_ids
        ends = [-1 if is_cut else None for _, is_cut in texts]
        paths = sorted(ids[:end] for ids, end in zip(encodings, ends, strict=True))
        shared = sum(_common_length(first, second) for first, second in pairwise(paths))
        return sum(map(len, paths)) - shared

    sources = _text_sources(digest, folder, overrides, texts)
    return int(cached_fact("tree_tokens", sources, derive, tokenizer_files(folder)))


def _common_length(first: list[int], second: list[int]) -> int:
    """Length of the common prefix."""
    pairs = zip(first, second, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def _text_sources(
    digest: str, folder: Path, overrides: TokenizerOverrides | None, texts: Any
) -> list[Any] | None:
    """What numbers of tokens are derived from: a tokenizer and the texts, these as their digest."""
    tokenizer = tokenizer_sources(digest, folder, overrides)
    content = hashlib.sha256(json.dumps(texts).encode()).hexdigest()
    return tokenizer and [tokenizer, content]
