"""Small models of every architecture that the registry's families need, with random weights."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

VOCABULARY = 300
IDS = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
BASE: dict[str, Any] = {**IDS, **SIZES, "intermediate_size": 48, "max_position_embeddings": 512}
GROUPED = {**BASE, "num_key_value_heads": 2}
WIDE = {**GROUPED, "head_dim": 8}
WINDOWED = {"sliding_window": 50}
GPT2 = {**IDS, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}
FALCON = {**IDS, **SIZES}
GEMMA3 = {**WIDE, **WINDOWED, "layer_types": ["sliding_attention", "full_attention"]}
LLAMA4 = {
    **WIDE,
    "attention_chunk_size": 50,
    "intermediate_size_mlp": 48,
    "num_local_experts": 2,
}
QWEN3_NEXT = {
    **WIDE,
    "layer_types": ["linear_attention", "full_attention"],
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 24,
    "shared_expert_intermediate_size": 24,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
RECURRENT_GEMMA = {
    **IDS,
    **SIZES,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "head_dim": 8,
    "lru_width": 32,
    "attention_window_size": 50,
}

PACKED: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", GROUPED),
    "mistral": ("mistral", {**GROUPED, "sliding_window": None}),
    "mistral, window": ("mistral", {**GROUPED, **WINDOWED}),
    "mixtral": ("mixtral", {**GROUPED, "num_local_experts": 4}),
    "qwen2": ("qwen2", GROUPED),
    "qwen3": ("qwen3", WIDE),
    "gemma": ("gemma", WIDE),
    "gemma2": ("gemma2", {**WIDE, **WINDOWED}),
    "gemma3": ("gemma3_text", GEMMA3),
    "gpt2": ("gpt2", GPT2),
    "gpt_neox": ("gpt_neox", BASE),
    "opt": ("opt", {**BASE, "ffn_dim": 48, "word_embed_proj_dim": 32}),
    "phi": ("phi", BASE),
    "phi3": ("phi3", {**GROUPED, "sliding_window": None}),
    "phi3, window": ("phi3", {**GROUPED, **WINDOWED}),
    "olmo": ("olmo", GROUPED),
    "olmo2": ("olmo2", GROUPED),
    "stablelm": ("stablelm", GROUPED),
    "cohere": ("cohere", GROUPED),
    "cohere2": ("cohere2", {**GROUPED, **WINDOWED}),
    "granite": ("granite", GROUPED),
    "starcoder2": ("starcoder2", GROUPED),
    "llama4, chunks": ("llama4_text", LLAMA4),
    "gpt_oss, sinks": ("gpt_oss", {**WIDE, **WINDOWED, "num_local_experts": 4}),
}
FORKED = {"gptj", "falcon", "falcon, alibi", "bloom", "mpt", "diffllama", "qwen3_next"}
"Models that are not packed, whose states are copied at branches."
PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "gptj": ("gptj", {**GPT2, "rotary_dim": 4}),
    "falcon": ("falcon", {**FALCON, "alibi": False}),
    "falcon, alibi": ("falcon", {**FALCON, "alibi": True}),
    "bloom": ("bloom", {**IDS, "hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "mpt": ("mpt", {**IDS, "d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 512}),
    "diffllama": ("diffllama", GROUPED),
    "qwen3_next": ("qwen3_next", QWEN3_NEXT),
    "mamba": ("mamba", {**IDS, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}),
    "recurrent_gemma": ("recurrent_gemma", RECURRENT_GEMMA),
}

SHARED = "the answer is in another theatre, then " * 4
CHOICES = [
    *(
        (SHARED + question, answer)
        for question in ("Q: an inn?", "Q: her bath, " * 9)
        for answer in (" A", " ab", " a bather", " a bather then")
    ),
    ("", " the rather"),
    ("other ", "her"),
    ("then " * 150, " than"),
]
"(context, answer) of log-likelihood requests; the last is longer than the context window."
PROMPTS = [
    (SHARED + word, {"until": ["he"], "max_gen_toks": 12})
    for word in ("a", "an inn", "Q: her bath, " * 5, "b b")
]
"(context, arguments) of generation requests."


def build_model(kind: str, config: dict[str, Any]) -> Any:
    """The model, with weights large enough that every token matters."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **config)).eval()
    for name, weight in model.named_parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.25)
        if name.endswith("sinks"):
            torch.nn.init.normal_(weight, std=2.0)
    return model


def build_tokenizer() -> Any:
    """Letters of several scripts and a few merges; <bos> is prepended to every text."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from tokenizers.decoders import ByteLevel
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = ["<pad>", "<bos>", "<eos>", *letters]
    merges = []
    for pair in ("th", "he", "an", "in", "er", "ab", "Ġa", "Ġb", "Ġt", "ba"):
        merges.append((pair[0], pair[1]))
        vocabulary.append(pair)
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(vocabulary)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>"
    )


def shared_prefix_and_hf(model: Any, **options: Any) -> tuple[Any, Any]:
    """The model as `shared-prefix`, and as lm-eval's `hf` with one request at a time."""
    from lm_eval.models.huggingface import HFLM

    from study.inference import SharedPrefixLM

    tokenizer = build_tokenizer()
    return (
        SharedPrefixLM(pretrained=model, tokenizer=tokenizer, **options),
        HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1, **options),
    )


WINDOWED_LENGTH = 64
"Context window of the windowed pair, in tokens."


@cache
def windowed_pair() -> tuple[Any, Any]:
    """A model with a sliding window on both paths; built once for all tests of a process."""
    model = build_model(*PACKED["mistral, window"])
    return shared_prefix_and_hf(model, max_length=WINDOWED_LENGTH)


def with_budget(lm: Any, tokens: int, rows: int) -> Any:
    """The model, after setting the budget of its engine."""
    from study.inference.prefix_tree.packed_batches import Budget

    lm.probe.engine.budget = Budget(tokens, rows)
    return lm


def lm_requests(kind: str, arguments: list[tuple[Any, ...]]) -> list[Any]:
    """lm-eval requests of one kind, such as "loglikelihood"."""
    from lm_eval.api.instance import Instance

    return [Instance(kind, {}, each, index) for index, each in enumerate(arguments)]


def max_difference(ours: list[Any], theirs: list[Any]) -> float:
    """Largest difference of log-likelihoods, after checking that greedy flags are equal."""
    assert [greedy for _, greedy in ours] == [greedy for _, greedy in theirs]
    return max(abs(a - b) for (a, _), (b, _) in zip(ours, theirs, strict=True))


def assert_same_scores(ours: list[Any], theirs: list[Any]) -> None:
    """Greedy flags are equal, and log-likelihoods up to rounding."""
    assert [greedy for _, greedy in ours] == [greedy for _, greedy in theirs]
    for (a, _), (b, _) in zip(ours, theirs, strict=True):
        assert a == pytest.approx(b, abs=1e-4, rel=1e-6)


# Strategies of hypothesis: contexts that share prefixes, answers of one to many tokens.
Texts = st.text(alphabet="thean ib😀é\n", max_size=12)
Contexts = st.lists(
    st.tuples(st.sampled_from(["", "the bath ", "the bath in an inn ", "then " * 30]), Texts).map(
        "".join
    ),
    min_size=1,
    max_size=6,
)
Answers = st.lists(
    st.one_of(Texts.filter(str.strip), st.sampled_from(["a", "ab", "ab the", "b" * 60])),
    min_size=1,
    max_size=3,
)
sixty_examples = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
