"""Tokenizers: loading the one that reads a model's prompts, and counting its tokens.

In: a model's folder, and what a recipe changes about the base's tokenizer. Out: a transformers
tokenizer, its chat template, token ids, counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from study.models.chat_templates.published import set_template
from study.models.chat_templates.rendering import (
    Rendering,
    TokenizerTemplate,
    chat_template,
    short_conversation,
)
from study.models.folders.files import readable_files
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


_templates: dict[tuple[str, TokenizerOverrides | None], TokenizerTemplate] = {}
"By tokenizer digest and overrides: models of a family mostly have one tokenizer, which is large."


def tokenizer_template(
    digest: str, folder: Path, overrides: TokenizerOverrides | None = None
) -> TokenizerTemplate:
    """The chat template of the tokenizer in `folder`, whose digest is `digest`, and the special
    tokens that it may print. StudyError if the tokenizer cannot be loaded."""
    if (digest, overrides) not in _templates:
        tokenizer = load_tokenizer(folder, overrides)
        _templates[digest, overrides] = TokenizerTemplate.of(tokenizer)
    return _templates[digest, overrides]


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
        tokenizer = cached_tokenizer(folder, overrides)
        lengths = map(len, tokenizer(new, add_special_tokens=False).input_ids)
        known.update(zip(new, lengths, strict=True))
    return known


@cache
def template_tokens(
    folder: Path, rendering: Rendering, turns: int, overrides: TokenizerOverrides | None = None
) -> int:
    """Tokens of a conversation with `turns` user turns, each message being 'a'."""
    tokenizer = cached_tokenizer(folder, overrides)
    text = chat_template(rendering)(short_conversation(turns))
    return len(encode_prompts(tokenizer, [text])[0])
