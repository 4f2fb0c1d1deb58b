"""Small chat templates that decide about thinking as published ones do, and what they lead to."""

from __future__ import annotations

TURNS = (
    "{% for message in messages %}{{ '<|' + message.role + '|>' }}"
    "{% if '</think>' in message.content %}{{ message.content.split('</think>')[-1] }}"
    "{% else %}{{ message.content }}{% endif %}{{ eos_token }}{% endfor %}"
)
"Turns from whose history thinking is removed."
PROMPT = "{% if add_generation_prompt %}{{ '<|assistant|>' }}"
EMPTY = "{{ '<think>\\n\\n</think>\\n\\n' }}"
OFF = "{enable_thinking: false}"

QWEN3 = (
    TURNS + PROMPT + "{% if enable_thinking is defined and enable_thinking is false %}"
    f"{EMPTY}{{% endif %}}{{% endif %}}"
)
SMOLLM3 = (
    "{% if enable_thinking is not defined %}{% set enable_thinking = true %}{% endif %}"
    "{% set mode = '/think' if enable_thinking else '/no_think' %}"
    "<|system|>Today is {{ strftime_now('%d %B %Y') }}. Reasoning Mode: {{ mode }}"
    "{% if mode == '/think' %}{{ ' Answer as <think> thoughts </think> solution.' }}{% endif %}"
    + TURNS
    + PROMPT
    + f"{{% if mode == '/no_think' %}}{EMPTY}{{% endif %}}{{% endif %}}"
)
GLM = (
    TURNS
    + PROMPT
    + ("{{ '<think></think>' if enable_thinking is defined and not enable_thinking }}{% endif %}")
)
SWITCHABLE = {"qwen3": QWEN3, "smollm3": SMOLLM3, "glm": GLM}
"Think unless they are told not to."

R1 = TURNS + PROMPT + "{{ '<think>\\n' }}{% endif %}"
MAGISTRAL = (
    "<|system|>First draft your thinking: [THINK]thoughts[/THINK] answer"
    + TURNS
    + PROMPT
    + ("{% endif %}")
)
PHI = (
    "<|system|>Structure the response as <think> thought </think> solution"
    + TURNS
    + PROMPT
    + ("{% endif %}")
)
GPT_OSS = (
    "{% if reasoning_effort is not defined %}{% set reasoning_effort = 'medium' %}{% endif %}"
    "{{ '<|system|>Reasoning: ' + reasoning_effort + ' Valid channels: analysis, final.' }}"
    "{% for message in messages %}{{ '<|start|>' + message.role + '<|channel|>final<|message|>' + "
    "message.content + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}"
)
NEMOTRON = (
    "{% set ns = namespace(enable_thinking=true) %}{% for message in messages %}"
    "{% if '/no_think' in message.content %}{% set ns.enable_thinking = false %}{% endif %}"
    "{% endfor %}" + TURNS + PROMPT + "{{ '<think></think>' if ns.enable_thinking is false "
    "else '<think>\n\n' }}{% endif %}"
)
APRIEL = TURNS + PROMPT + "{{ 'Here are my reasoning steps:\n' }}{% endif %}"
ALWAYS = {
    "r1": R1,
    "magistral": MAGISTRAL,
    "phi": PHI,
    "gpt-oss": GPT_OSS,
    "nemotron": NEMOTRON,
    "apriel": APRIEL,
}
"Think, and have no switch."

EFFORT = (
    "<|system|>Effort: {{ reasoning_effort | default('high') }}" + TURNS + PROMPT + "{% endif %}"
)
"Thinks as much as it is told to."

SEED_OSS = (
    "{% if thinking_budget is not defined %}{% set thinking_budget = -1 %}{% endif %}"
    + TURNS.replace("</think>", "</seed:think>")
    + PROMPT
    + "{% if thinking_budget == 0 %}{{ '<seed:think>\\nI answer directly.\\n</seed:think>' }}"
    "{% endif %}{% endif %}"
)
"A budget of tokens, 0 of which is no thinking."
GRANITE = (
    "{% if thinking %}{{ '<|system|>Write <think>thoughts</think> first.' }}{% endif %}"
    + TURNS
    + PROMPT
    + "{% endif %}"
)
DEEPSEEK_V31 = (
    "{% if not thinking is defined %}{% set thinking = false %}{% endif %}"
    + TURNS
    + PROMPT
    + "{{ '<think>' if thinking else '</think>' }}{% endif %}"
)
GEMMA4 = (
    "{{ '<|system|><|think|>' if enable_thinking is defined and enable_thinking }}"
    "{% for message in messages %}{% if '<channel|>' in message.content %}"
    "{{ message.content.split('<channel|>')[-1] }}{% else %}{{ message.content }}{% endif %}"
    "{% endfor %}" + PROMPT + "{% endif %}"
)
OPTIONAL = {"granite": GRANITE, "deepseek-v3.1": DEEPSEEK_V31, "gemma-4": GEMMA4}
"Think only if they are told to."

STRIPPING = TURNS + PROMPT + "{% endif %}"
HISTORY = (
    "{% for message in messages %}{% if message.role == 'assistant' and not preserve_thinking %}"
    "{{ message.content.split('</think>')[-1] }}{% else %}{{ message.content }}{% endif %}"
    "{% endfor %}" + PROMPT + "{% endif %}"
)
PLAIN = "{% for message in messages %}{{ message.content }}{{ eos_token }}{% endfor %}"
NEVER = {"stripping": STRIPPING, "history": HISTORY, "plain": PLAIN}
"Do not think: those that only remove thinking from earlier turns, and all others."
