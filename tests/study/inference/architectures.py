"""Every causal language model of transformers as a tiny model with random weights."""

from __future__ import annotations

from typing import Any

import torch

SIZES: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "lru_width", "word_embed_proj_dim"), 32),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size", "d_ff"), 48),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size"), 24),
    **dict.fromkeys(("shared_intermediate_size", "expert_ffn_hidden_size"), 24),
    **dict.fromkeys(("num_experts", "n_routed_experts", "num_local_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "moe_topk"), 2),
    **dict.fromkeys(("n_group", "topk_group", "first_k_dense_replace", "mamba_n_groups"), 1),
    **dict.fromkeys(("q_lora_rank", "kv_lora_rank", "mamba_chunk_size"), 16),
    **dict.fromkeys(("head_dim", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim"), 8),
    **dict.fromkeys(("linear_key_head_dim", "linear_value_head_dim"), 8),
    **dict.fromkeys(("mamba_d_state", "mamba_n_heads", "mamba_d_head", "state_size"), 8),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len"), 512),
    **dict.fromkeys(("sliding_window", "attention_window_size"), 50),
    "vocab_size": 300,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "num_key_value_heads": 2,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
}
"Sizes by their names in configs."
MIXED = {"layer_types": ["sliding_attention", "full_attention"]}
LINEAR = {"layer_types": ["linear_attention", "full_attention"]}
HALF_ROTARY = {"rotary_dim": 4}
MAMBA = {"mamba_d_ssm": 64, "mamba_expand": 2}
SHARED_KEYS = {
    "num_hidden_layers": 4,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "num_kv_shared_layers": 2,
    "vocab_size_per_layer_input": 300,
    "hidden_size_per_layer_input": 8,
}
OVERRIDES: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [1]},
    "codegen": HALF_ROTARY,
    "cohere_compass_text": {
        "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e4}}
    },
    "cpmant": {"dim_head": 8, "dim_ff": 48},
    "dots1": {"n_shared_experts": 1},
    "dots3_note_text": {"num_key_value_heads": 4, "index_head_dim": 8, "index_n_heads": 2},
    "falcon_h1": MAMBA,
    "gemma3n_text": SHARED_KEYS,
    "gemma4_text": SHARED_KEYS,
    "gemma4_unified_text": MIXED,
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 50},
    "gptj": HALF_ROTARY,
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "kimi_linear": {**LINEAR, "linear_head_dim": 8},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "longcat_flash": {"zero_expert_num": 2},
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 1},
    "nemotron_h": {"mamba_num_heads": 8, "mamba_head_dim": 8, "ssm_state_size": 8},
    **dict.fromkeys(("granitemoehybrid", "qwen3_next", "qwen3_5_text"), LINEAR),
    **dict.fromkeys(("qwen3_5_moe_text", "bailing_hybrid", "minimax", "olmo_hybrid"), LINEAR),
    "lfm3": {"layer_types": ["conv", "full_attention"]},
    "recurrent_gemma": {"block_types": ["recurrent", "attention"]},
    "zamba": {"layer_types": ["linear_attention", "hybrid"] * 2, "num_hidden_layers": 4},
    "zamba2": {"layer_types": ["linear_attention", "hybrid"], "num_hidden_layers": 2},
    "zaya": {"num_experts_per_tok": 1},
}


def tiny_config(kind: str) -> Any:
    """The config of a tiny model: the defaults of its kind, with small sizes."""
    from transformers import AutoConfig

    text = AutoConfig.for_model(kind).get_text_config()
    names = set(text.to_dict()) | set(getattr(text, "attribute_map", {}))
    values = {name: value for name, value in SIZES.items() if name in names}
    if "kv_lora_rank" in names:  # latent attention has one key head for each query head
        values["num_key_value_heads"] = values["num_attention_heads"]
    return type(text)(**values | OVERRIDES.get(kind, {}))


def tiny_model(kind: str) -> Any:
    """The model, with weights large enough that every token matters."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(tiny_config(kind)).eval()
    for weight in model.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.25)
    return model


SAME_TEXT_MODEL = {
    *("dots3_note", "emu3", "fuyu", "gemma3", "gemma3n", "gemma4", "gemma4_assistant"),
    *("gemma4_unified", "gemma4_unified_assistant", "got_ocr2", "gpt-sw3", "llama4", "mllama"),
    *("moss_transcribe_diarize", "qwen3_5", "qwen3_5_moe", "qwen4_exp"),
}
"Kinds whose text model is that of another kind, or is read as that by AutoModelForCausalLM."
NOT_EVALUATED = {
    *("bart", "bert", "bert-generation", "big_bird", "bigbird_pegasus", "blenderbot"),
    *("blenderbot-small", "camembert", "data2vec-text", "electra", "ernie", "git", "marian"),
    *("mbart", "megatron-bert", "musicgen", "musicgen_melody", "mvp", "pegasus", "plbart"),
    *("prophetnet", "reformer", "rembert", "roberta", "roberta-prelayernorm", "roc_bert"),
    *("roformer", "trocr", "whisper", "xlm", "xlm-roberta", "xlm-roberta-xl", "xlnet", "xmod"),
}
"Encoders and decoders of encoder-decoders that can be made causal."
TOO_LARGE = {"blt", "dbrx", "phi4_multimodal"}
"Kinds of which no tiny model can be made from the config alone."
