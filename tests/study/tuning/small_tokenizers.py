"""Tokenizers of the kinds that real models have, trained on a few sentences."""

from __future__ import annotations

import copy
import datetime as dt
from functools import cache
from typing import Any

from study.models.chat_templates.published import set_template
from study.models.chat_templates.rendering import Rendering, TokenizerTemplate, rendering

TEXT = [
    "Below is an instruction. Write a response that completes it. user assistant system",
    "The quick brown fox jumps over the lazy dog; 12 + 30 = 42. Übermut tut selten gut!",
    "<|user|> <|assistant|> <|system|> [INST] [/INST] [IND] naïve café 東京",
]


@cache
def small_tokenizer(kind: str) -> Any:
    """`bytes`: byte-level pairs, as in GPT-2 and Llama 3. `metaspace`: as in Llama 2. `zoo`: the
    zoo's. The same instance for each call."""
    if kind == "zoo":
        from study.zoo.tokenizer import tokenizer

        return tokenizer()
    from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    pairs = Tokenizer(BPE(unk_token="<unk>", byte_fallback=kind == "metaspace"))
    special = ["<unk>", "<s>", "</s>"]
    if kind == "bytes":
        pairs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        pairs.decoder = decoders.ByteLevel()
        alphabet = list(pre_tokenizers.ByteLevel.alphabet())
    else:
        pairs.pre_tokenizer = pre_tokenizers.Metaspace()
        pairs.decoder = decoders.Metaspace()
        alphabet = [*map(chr, range(32, 127)), *"\n▁éÜï東京"]
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    pairs.train_from_iterator(TEXT * 3, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=pairs, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def rendered_from(tokenizer: Any) -> Rendering:
    """What the tokenizer's chat template is rendered from, without arguments."""
    return rendering(TokenizerTemplate.of(tokenizer), date=dt.date(2026, 1, 1), arguments={})


@cache
def tokenizer_with(kind: str, template: str) -> Any:
    """A copy of a small tokenizer with this chat template, known by name or in Jinja."""
    tokenizer = copy.deepcopy(small_tokenizer(kind))
    set_template(tokenizer, template, "here")
    return tokenizer
