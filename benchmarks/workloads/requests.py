"""Generated lm-eval requests of the kinds that studies make, and a tokenizer for them.

In: a seed and sizes. Out: a tokenizer with one token per word, and requests over its words. Words
are drawn at random: what is measured does not depend on their meaning.
"""

from __future__ import annotations

import random
from typing import Any

from lm_eval.api.instance import Instance

RARE_WORDS = 2_000
"Words of the vocabulary that no request contains."
CHOICES, SHOTS = "ABCD", 5


def word_tokenizer(vocabulary: int) -> Any:
    """A tokenizer with this number of words, which puts <bos> before every text."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<bos>", "<eos>", "<unk>"]
    words = [*special, ".", "\n", *CHOICES]
    words += [f"w{number}" for number in range(vocabulary - len(words))]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "removed")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>"
    )


class RequestGenerator:
    """Generates requests, the same for the same seed."""

    def __init__(self, prefix: int, items: int, vocabulary: int, seed: int = 0) -> None:
        """`prefix` is the number of tokens of all demonstrations together."""
        self._words = vocabulary - RARE_WORDS
        self.items = items
        self.demonstration_length = prefix // SHOTS
        self._random = random.Random(seed)

    def words(self, number: int) -> str:
        """Random words, separated by spaces."""
        return " ".join(f"w{self._random.randrange(self._words)}" for _ in range(number))

    def demonstrations(self) -> str:
        """The beginning of a few-shot prompt."""
        length = self.demonstration_length - 1
        return " . ".join(self.words(length) for _ in range(SHOTS)) + " . "

    def question(self) -> str:
        """A question of 15 to 30 words."""
        return self.words(self._random.randrange(15, 31))

    def choices(
        self, *, shared: bool = True, shots: bool = True, letters: bool = False
    ) -> list[Instance]:
        """Multiple-choice requests.

        All items have the same demonstrations if `shared`, or each has its own; none without
        `shots`. Answers are single letters or 3 to 6 words.
        """
        common = self.demonstrations()
        requests = []
        for item in range(self.items):
            beginning = common if shared else self.demonstrations()
            context = (beginning if shots else "") + self.question()
            for letter in CHOICES:
                answer = letter if letters else self.words(self._random.randrange(3, 7))
                requests.append(_request("loglikelihood", (context, " " + answer), item))
        return requests

    def generation(self, max_new_tokens: int = 32) -> list[Instance]:
        """Few-shot prompts after which text is generated."""
        common = self.demonstrations()
        arguments = {"until": ["\n"], "max_gen_toks": max_new_tokens, "do_sample": False}
        return [
            _request("generate_until", (common + self.question(), arguments), item)
            for item in range(self.items)
        ]

    def rolling(self) -> list[Instance]:
        """Texts of 100 to 400 words, every token of which is scored."""
        return [
            _request("loglikelihood_rolling", (self.words(self._random.randrange(100, 400)),), item)
            for item in range(self.items)
        ]


def _request(kind: Any, arguments: tuple[Any, ...], item: int) -> Instance:
    return Instance(request_type=kind, doc={}, arguments=arguments, idx=item)
