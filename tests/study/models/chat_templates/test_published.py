"""Known chat templates, and tokenizers that cannot be tuned with."""

from __future__ import annotations

import pytest

from study.errors import StudyError
from study.models.chat_templates.published import TEMPLATES, set_template
from study.models.tokenizers import load_tokenizer
from tests.study.models.chat_templates.chat import MESSAGES, TUNED, render

RENDERED = {
    "tulu": "<|system|>\nS\n<|user|>\nU\n<|assistant|>\nA{eos}\n<|user|>\nV\n<|assistant|>\n",
    "llama2": "{bos}[INST] <<SYS>>\nS\n<</SYS>>\n\nU [/INST] A {eos}{bos}[INST] V [/INST]",
    "chatml": (
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n"
        "<|im_start|>assistant\nA{eos}\n<|im_start|>user\nV<|im_end|>\n<|im_start|>assistant\n"
    ),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_known_templates(name: str) -> None:
    tokenizer = load_tokenizer(TUNED)
    set_template(tokenizer, name, "recipe")
    expected = RENDERED[name].format(bos=tokenizer.bos_token, eos=tokenizer.eos_token)
    assert render(tokenizer, MESSAGES) == expected


def test_tokenizers_that_cannot_be_tuned_with() -> None:
    tokenizer = load_tokenizer(TUNED)
    tokenizer.eos_token = None
    with pytest.raises(StudyError, match="recipe: found a tokenizer without an end-of-text token"):
        set_template(tokenizer, "tulu", "recipe")
    tokenizer.chat_template = None
    with pytest.raises(StudyError, match="one of tulu, llama2, chatml, or one in Jinja"):
        set_template(tokenizer, "tokenizer", "recipe")
