"""Synthetic text, and a byte-level BPE tokenizer that is trained on it.

In: a seed, sizes. Out: texts of invented words, a tokenizer with the pattern of GPT-2 (cached).
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

CONSONANTS, VOWELS, ENDS = "bcdfghjklmnpqrstvwz", "aeiou", ("", "n", "r", "s", "l", "t")
TRAINED_TEXTS, TRAINED_WORDS = 8_000, 100


class TextGenerator:
    """Texts of words that are drawn at random from a vocabulary of invented words."""

    def __init__(self, words: int, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._words = [self._word() for _ in range(words)]

    def text(self, words: int) -> str:
        """Words, separated by spaces."""
        return " ".join(self._random.choices(self._words, k=words))

    def _word(self) -> str:
        draw = self._random.choice
        syllables = self._random.randint(1, 4)
        return "".join(draw(CONSONANTS) + draw(VOWELS) + draw(ENDS) for _ in range(syllables))


def bpe_tokenizer(vocabulary: int, cache: Path) -> Any:
    """A transformers tokenizer with this many tokens; trained if it is not in `cache`."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    file = cache / f"bpe-{vocabulary}.json"
    if not file.exists():
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=["<bos>"],
            show_progress=False,
        )
        generator = TextGenerator(words=vocabulary * 5 // 4, seed=1)
        texts = (generator.text(TRAINED_WORDS) for _ in range(TRAINED_TEXTS))
        tokenizer.train_from_iterator(texts, trainer)
        cache.mkdir(parents=True, exist_ok=True)
        tokenizer.save(str(file))
    return PreTrainedTokenizerFast(tokenizer_file=str(file), bos_token="<bos>")
