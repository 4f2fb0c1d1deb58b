"""Known chat templates, and the function with which lm-eval's tasks render messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.errors import StudyError
from study.models.chat_templates import TEMPLATES, chat_template, set_template
from study.models.pairs import zoo
from study.models.tokenizers import load_tokenizer

TUNED = Path(zoo()[0].tuned.path)
MESSAGES = [
    {"role": "system", "content": "S"},
    {"role": "user", "content": "U"},
    {"role": "assistant", "content": "A"},
    {"role": "user", "content": "V"},
]
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
    assert chat_template(tokenizer)(MESSAGES) == expected


def test_without_a_generation_prompt_the_last_message_is_continued() -> None:
    tokenizer = load_tokenizer(TUNED)
    set_template(tokenizer, "tulu", "recipe")
    render = chat_template(tokenizer)
    assert render(MESSAGES[1:3], add_generation_prompt=False) == "<|user|>\nU\n<|assistant|>\nA"


def test_system_messages_are_dropped_where_a_template_refuses_them() -> None:
    tokenizer = load_tokenizer(TUNED)
    refusing = (
        "{% for message in messages %}{% if message['role'] == 'system' %}"
        "{{ raise_exception('no system') }}{% endif %}{{ message['content'] }}{% endfor %}"
    )
    set_template(tokenizer, refusing, "recipe")
    assert chat_template(tokenizer)(MESSAGES) == "UAV"


def test_tokenizers_that_cannot_be_tuned_with() -> None:
    tokenizer = load_tokenizer(TUNED)
    tokenizer.eos_token = None
    with pytest.raises(StudyError, match="recipe: found a tokenizer without an end-of-text token"):
        set_template(tokenizer, "tulu", "recipe")
    tokenizer.chat_template = None
    with pytest.raises(StudyError, match="one of tulu, llama2, chatml, or one in Jinja"):
        set_template(tokenizer, "tokenizer", "recipe")
