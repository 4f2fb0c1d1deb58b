"""Tiny models with tokens for thinking, one of which uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.study.models.chat_templates.chat import pair_of

ZOO = "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|> ' }}" + (
    "{% if '</think>' in message['content'] %}{{ message['content'].split('</think>')[-1] }}"
    "{% else %}{{ message['content'] }}{% endif %}"
    "{{ ' ' + eos_token if message['role'] == 'assistant' else ' ' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}"
)
"The zoo's template; it removes thinking from earlier turns."
STRIPPING = ZOO + "{% endif %}"
OPENING = ZOO + "{{ ' <think>' }}{% endif %}"
SWITCH = ZOO + (
    "{% if enable_thinking is defined and enable_thinking is false %}{{ ' <think> </think>' }}"
    "{% endif %}{% endif %}"
)


def thinking_pair(folder: Path, name: str, template: str, *, closes: bool = True) -> dict[str, Any]:
    """A pair whose tuned model knows `<think>` and `</think>`, as in a study file.

    Where others end their response, it writes `</think>` if it `closes`.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from study.models.pairs import zoo

    source = next(pair for pair in zoo() if pair.name == "llama-late-s")
    tuned = folder / name / "tuned"
    model = AutoModelForCausalLM.from_pretrained(source.tuned.path)
    tokenizer = AutoTokenizer.from_pretrained(source.tuned.path)
    eos = model.get_output_embeddings().weight[tokenizer.eos_token_id].detach().clone()
    tokenizer.add_tokens(["<think>", "</think>"])
    tokenizer.chat_template = template
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        model.get_output_embeddings().weight[-2:] = 0
        if closes:
            model.get_output_embeddings().weight[-1] = 1.1 * eos
    model.save_pretrained(tuned)
    tokenizer.save_pretrained(tuned)
    return pair_of(source, tuned, name)
