"""Tokenizers of the kinds that real models have, trained here on a few sentences."""

from __future__ import annotations

from functools import cache
from typing import Any

TEXT = [
    "Below is an instruction. Write a response that completes it. user assistant system",
    "The quick brown fox jumps over the lazy dog; 12 + 30 = 42. Übermut tut selten gut!",
    "<|user|> <|assistant|> <|system|> [INST] [/INST] [IND] naïve café 東京",
]


@cache
def made(kind: str) -> Any:
    """`bytes`: byte-level pairs, as of GPT-2 and Llama 3. `metaspace`: as of Llama 2. `zoo`: the
    zoo's."""
    if kind == "zoo":
        from study.zoo.tokenizer import tokenizer

        return tokenizer()
    from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(BPE(unk_token="<unk>", byte_fallback=kind == "metaspace"))
    special = ["<unk>", "<s>", "</s>"]
    if kind == "bytes":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = list(pre_tokenizers.ByteLevel.alphabet())
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        alphabet = [*map(chr, range(32, 127)), *"\n▁éÜï東京"]
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXT * 3, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
