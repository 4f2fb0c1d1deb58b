"""Small models of every architecture that the registry's families need, with random weights."""

from __future__ import annotations

from typing import Any

VOCABULARY = 300
BASE: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 512,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
GROUPED = {**BASE, "num_key_value_heads": 2}
WIDE = {**GROUPED, "head_dim": 8}
IDS = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
GPT2 = {**IDS, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}
FALCON = {**IDS, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}

PACKED: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", GROUPED),
    "mistral": ("mistral", {**GROUPED, "sliding_window": None}),
    "mistral, window": ("mistral", {**GROUPED, "sliding_window": 50}),
    "mixtral": ("mixtral", {**GROUPED, "num_local_experts": 4}),
    "qwen2": ("qwen2", GROUPED),
    "qwen3": ("qwen3", WIDE),
    "gemma": ("gemma", WIDE),
    "gemma2": ("gemma2", {**WIDE, "sliding_window": 50}),
    "gemma3": ("gemma3_text", {**WIDE, "sliding_window": 50,
               "layer_types": ["sliding_attention", "full_attention"]}),
    "gpt2": ("gpt2", GPT2),
    "gpt_neox": ("gpt_neox", BASE),
    "opt": ("opt", {**BASE, "ffn_dim": 48, "word_embed_proj_dim": 32}),
    "phi": ("phi", BASE),
    "phi3": ("phi3", {**GROUPED, "sliding_window": None}),
    "phi3, window": ("phi3", {**GROUPED, "sliding_window": 50}),
    "olmo": ("olmo", GROUPED),
    "olmo2": ("olmo2", GROUPED),
    "stablelm": ("stablelm", GROUPED),
    "cohere": ("cohere", GROUPED),
    "cohere2": ("cohere2", {**GROUPED, "sliding_window": 50}),
    "granite": ("granite", GROUPED),
    "starcoder2": ("starcoder2", GROUPED),
    "llama4, chunks": ("llama4_text", {**WIDE, "attention_chunk_size": 50,
                       "intermediate_size_mlp": 48, "num_local_experts": 2}),
}  # fmt: skip
PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "gptj": ("gptj", {**GPT2, "rotary_dim": 4}),
    "falcon": ("falcon", {**FALCON, "alibi": False}),
    "falcon, alibi": ("falcon", {**FALCON, "alibi": True}),
    "bloom": ("bloom", {**IDS, "hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "mpt": ("mpt", {**IDS, "d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 512}),
    "mamba": ("mamba", {**IDS, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}),
    "recurrent_gemma": ("recurrent_gemma", {**IDS, "hidden_size": 32, "intermediate_size": 96,
                        "num_hidden_layers": 3, "num_attention_heads": 4, "head_dim": 8,
                        "lru_width": 32, "attention_window_size": 50}),
}  # fmt: skip


def build(kind: str, config: dict[str, Any]) -> Any:
    """The model, its weights large enough that every token matters."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **config)).eval()
    for weight in model.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.25)
    return model


def tokenizer() -> Any:
    """Letters of several scripts and made-up syllables, longest first; <bos> in front."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from tokenizers.decoders import ByteLevel
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = ["<pad>", "<bos>", "<eos>", *letters]
    merges = []
    for pair in ("th", "he", "an", "in", "er", "ab", "Ġa", "Ġb", "Ġt", "ba"):
        merges.append((pair[0], pair[1]))
        vocabulary.append(pair)
    made = Tokenizer(models.BPE({t: i for i, t in enumerate(vocabulary)}, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = ByteLevel()
    made.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>"
    )


def both(model: Any, **named: Any) -> tuple[Any, Any]:
    """The model on our path and on lm-eval's own, one request at a time."""
    from lm_eval.models.huggingface import HFLM

    from study.inference import SharedPrefixLM

    words = tokenizer()
    return (
        SharedPrefixLM(pretrained=model, tokenizer=words, **named),
        HFLM(pretrained=model, tokenizer=words, batch_size=1, **named),
    )


def ask(kind: str, arguments: list[tuple[Any, ...]]) -> list[Any]:
    """lm-eval requests."""
    from lm_eval.api.instance import Instance

    return [Instance(kind, {}, given, number) for number, given in enumerate(arguments)]
