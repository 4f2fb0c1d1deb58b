"""The zoo's tokenizer: one token per word, with a chat template.

In: the language's words. Out: a transformers fast tokenizer that adds one <bos> before a text and
decodes words with single spaces between them.
"""

from __future__ import annotations

from typing import Any

from study.zoo.language import ASSISTANT, BOS, EOS, ID_OF, PAD, SPECIAL, SYSTEM, UNK, USER
from study.zoo.members import CONTEXT_LENGTH

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|> ' + message['content'] }}"
    "{{ ' ' + eos_token if message['role'] == 'assistant' else ' ' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def tokenizer() -> Any:
    """The tokenizer of every zoo model."""
    from tokenizers import Regex, Tokenizer, pre_tokenizers
    from tokenizers.models import WordLevel
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(WordLevel(dict(ID_OF), unk_token=UNK))
    words.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(" +"), "removed"),
            pre_tokenizers.Split(Regex("\n"), "isolated"),
        ]
    )
    words.post_processor = TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, ID_OF[BOS])]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=words,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNK,
        pad_token=PAD,
        additional_special_tokens=[USER, ASSISTANT, SYSTEM],
        model_max_length=CONTEXT_LENGTH,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    if len(fast) != len(ID_OF) or set(fast.all_special_tokens) != set(SPECIAL):
        raise ValueError("the tokenizer's vocabulary is not the language's")
    return fast
