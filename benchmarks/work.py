"""The work that the scoring benchmark gives to both sides: requests of the kinds that studies make.

In: a seed. Out: a tokenizer of 32,000 made-up words and lm-eval requests over them. Words are drawn
at random: what is measured does not depend on what they say.
"""

from __future__ import annotations

import random
from typing import Any

from lm_eval.api.instance import Instance

VOCABULARY = 32_000
ITEMS, CHOICES, SHOTS = 100, "ABCD", 5


def made_up_tokenizer() -> Any:
    """One token per word, <bos> in front."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<bos>", "<eos>", "<unk>"]
    words = [*special, ".", "\n", *CHOICES]
    words += [f"w{number}" for number in range(VOCABULARY - len(words))]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "removed")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>"
    )


class Work:
    """Makes requests, the same for the same seed."""

    def __init__(self, prefix: int, seed: int = 0) -> None:
        """`prefix`: tokens of all demonstrations together."""
        self._random = random.Random(seed)
        self._demonstration = prefix // SHOTS

    def words(self, number: int) -> str:
        """So many words."""
        return " ".join(f"w{self._random.randrange(30_000)}" for _ in range(number))

    def demonstrations(self) -> str:
        """The prompt's shared beginning."""
        return " . ".join(self.words(self._demonstration - 1) for _ in range(SHOTS)) + " . "

    def choices(
        self, *, shared: bool = True, shots: bool = True, letters: bool = False
    ) -> list[Instance]:
        """Multiple choice: one set of demonstrations for all items, or one for each, or none."""
        of_all = self.demonstrations()
        requests = []
        for item in range(ITEMS):
            beginning = of_all if shared else self.demonstrations()
            context = (beginning if shots else "") + self.words(self._random.randrange(15, 31))
            for letter in CHOICES:
                answer = letter if letters else self.words(self._random.randrange(3, 7))
                requests.append(_request("loglikelihood", (context, " " + answer), item))
        return requests

    def generation(self, tokens: int = 32) -> list[Instance]:
        """Few-shot prompts to be continued."""
        of_all = self.demonstrations()
        how = {"until": ["\n"], "max_gen_toks": tokens, "do_sample": False}
        return [
            _request(
                "generate_until", (of_all + self.words(self._random.randrange(15, 31)), how), i
            )
            for i in range(ITEMS)
        ]

    def rolling(self) -> list[Instance]:
        """Texts whose every token is scored."""
        return [
            _request("loglikelihood_rolling", (self.words(self._random.randrange(100, 400)),), item)
            for item in range(ITEMS)
        ]


def _request(kind: Any, arguments: tuple[Any, ...], item: int) -> Instance:
    return Instance(request_type=kind, doc={}, arguments=arguments, idx=item)
