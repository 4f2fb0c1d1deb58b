"""Chat templates of published tuning code by name, and giving one to a tokenizer.

In: a tokenizer, a template's name or text. Out: the tokenizer with the template.
"""

from __future__ import annotations

from typing import Any

from study.errors import StudyError

TEMPLATES = {
    "tulu": (
        "{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] }}"
        "{{ (eos_token if message['role'] == 'assistant' else '') + '\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
    ),
    "llama2": (
        "{% if messages[0]['role'] == 'system' %}{% set system = '<<SYS>>\\n' + "
        "messages[0]['content'] + '\\n<</SYS>>\\n\\n' %}{% set rest = messages[1:] %}{% else %}"
        "{% set system = '' %}{% set rest = messages %}{% endif %}{% for message in rest %}"
        "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + (system if loop.first else "
        "'') + message['content'] + ' [/INST]' }}{% else %}{{ ' ' + message['content'] + ' ' + "
        "eos_token }}{% endif %}{% endfor %}"
    ),
    "chatml": (
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + "
        "message['content'] }}{{ (eos_token if message['role'] == 'assistant' else '<|im_end|>') "
        "+ '\\n' }}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|im_start|>assistant\\n' }}{% endif %}"
    ),
}
"Templates of published tuning code, by name."


def set_template(tokenizer: Any, template: str, where: str) -> None:
    """Give the tokenizer a recipe's chat template; StudyError if it is left without one.

    `template` is `tokenizer` for the tokenizer's own, a name in `TEMPLATES`, or Jinja. `where` is
    named in errors.
    """
    if template != "tokenizer":
        tokenizer.chat_template = TEMPLATES.get(template, template)
    if not tokenizer.chat_template:
        raise StudyError(
            where,
            "template",
            found="a tokenizer without a chat template",
            expected=f"`template`: one of {', '.join(TEMPLATES)}, or one in Jinja",
        )
    if tokenizer.eos_token_id is None:
        raise StudyError(
            where,
            found="a tokenizer without an end-of-text token",
            expected="one that has it: outputs must end",
            do="Set eos_token in its tokenizer_config.json",
        )
    if not tokenizer.is_fast:
        raise StudyError(
            where,
            found="a slow tokenizer, which does not report character offsets",
            expected="a tokenizer with a tokenizer.json",
        )
