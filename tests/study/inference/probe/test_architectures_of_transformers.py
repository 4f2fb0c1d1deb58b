"""Every causal language model of transformers: packed, or why not, in three number formats."""

from __future__ import annotations

import pytest
import torch
import transformers

from study.inference.probe.model_probe import ProbeResult, probe_model
from tests.study.inference.architectures import (
    NOT_EVALUATED,
    SAME_TEXT_MODEL,
    TOO_LARGE,
    tiny_model,
)
from tests.study.inference.small_models import (
    CHOICES,
    lm_requests,
    max_difference,
    shared_prefix_and_hf,
)

PACKED = (
    *("afmoe", "apertus", "arcee", "aria_text", "axk1", "beam", "biogpt", "bitnet"),
    *("cohere", "cohere2", "cohere2_moe", "cohere_compass_text", "ctrl", "cwm"),
    *("deepseek_v2", "deepseek_v3", "dots1", "ernie4_5", "ernie4_5_moe", "exaone4"),
    *("exaone_moe", "flex_olmo", "flint", "gemma", "gemma2", "gemma3_text"),
    *("gemma3n_text", "gemma4_text", "gemma4_unified_text", "glm", "glm4"),
    *("glm4_moe", "glm4_moe_lite", "gpt2", "gpt_bigcode", "gpt_neox", "gpt_oss"),
    *("granite", "granite_swa", "granitemoe", "granitemoe_swa", "granitemoeshared"),
    *("helium", "hunyuan_v1_dense", "hunyuan_v1_moe", "hy_v3", "hyperclovax"),
    *("internlm3", "iquestcoder", "jais2", "jetmoe", "kolibri1", "laguna", "llama"),
    *("llama4_text", "longcat_flash", "mellum", "mimo_v2_flash", "minicpm3"),
    *("minimax_m2", "minimax_m3_vl_text", "ministral", "ministral3", "mistral"),
    *("mixtral", "modernbert-decoder", "moshi", "nanochat", "nemotron", "olmo"),
    *("olmo2", "olmo3", "olmoe", "opt", "persimmon", "phi", "phi3", "phimoe"),
    *("qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "seed_oss", "smollm3"),
    *("solar_open", "stablelm", "starcoder2", "vaultgemma", "youtu"),
)
PLAIN = {
    "layers of type": (
        *("axk2", "bailing_hybrid", "bamba", "deepseek_v32", "deepseek_v4"),
        *("dots3_note_text", "falcon_h1", "falcon_mamba", "glm_moe_dsa"),
        *("granitemoehybrid", "hy_v4", "inkling2_text", "inkling_text", "jamba"),
        *("kimi_linear", "lfm2", "lfm2_moe", "lfm3", "mamba", "mamba2", "minimax"),
        *("nemotron_h", "olmo_hybrid", "qwen3_5_moe_text", "qwen3_5_text"),
        *("qwen3_next", "qwen4_exp_text", "recurrent_gemma", "zamba", "zamba2"),
        *("zaya",),
    ),
    "layers use attention of this kind": (
        *("bloom", "codegen", "cpmant", "gpt_neo", "gpt_neox_japanese", "gptj"),
        *("openai-gpt", "rwkv", "xglm"),
    ),
    "more than once per forward pass": (*("diffllama", "hrm_text"),),
    "computes logits at every position": (*("xlstm",),),
    "Error: ": (*("doge", "falcon", "mpt"),),
}
"Kinds by a part of the reason why they are not packed."
FORKED = {
    *("axk2", "bailing_hybrid", "bamba", "bloom", "codegen", "deepseek_v32", "deepseek_v4"),
    *("diffllama", "doge", "dots3_note_text", "falcon", "falcon_h1", "glm_moe_dsa", "gpt_neo"),
    *("gpt_neox_japanese", "gptj", "granitemoehybrid", "hrm_text", "hy_v4", "inkling2_text"),
    *("inkling_text", "kimi_linear", "lfm2", "lfm2_moe", "lfm3", "mamba2", "mpt", "nemotron_h"),
    *("olmo_hybrid", "qwen3_5_moe_text", "qwen3_5_text", "qwen3_next", "xglm", "zaya"),
}
"Kinds among them whose states are copied at branches, in float32."
PLAIN_IN_HALF_PRECISION = {
    *("axk2", "deepseek_v32", "dots3_note_text", "glm_moe_dsa", "hy_v4", "inkling2_text"),
    *("mamba2", "nemotron_h"),
}
"Kinds among these whose layers do not compute in float32 with half-precision weights."
FORMATS = [
    torch.float32,
    torch.bfloat16,
    pytest.param(torch.float16, marks=pytest.mark.slow),
]


def probed(kind: str, dtype: torch.dtype) -> ProbeResult:
    return probe_model(tiny_model(kind).to(dtype), 500)


@pytest.mark.skipif(transformers.__version__ != "5.23.0", reason="lists the kinds of 5.23.0")
def test_every_kind_is_listed() -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    plain = [kind for kinds in PLAIN.values() for kind in kinds]
    listed = [*PACKED, *plain, *SAME_TEXT_MODEL, *NOT_EVALUATED, *TOO_LARGE]
    assert sorted(listed) == sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("kind", PACKED)
def test_packed(kind: str, dtype: torch.dtype) -> None:
    result = probed(kind, dtype)
    assert result.reason == ""
    assert result.error is not None
    assert result.error < (1e-5 if dtype == torch.float32 else 0.2)


@pytest.mark.parametrize("kind", [*PACKED, *sorted(FORKED)])
def test_scores_are_those_of_hf(kind: str) -> None:
    ours, theirs = shared_prefix_and_hf(tiny_model(kind), max_length=500)
    requests = lm_requests("loglikelihood", CHOICES[:-1])
    scores = ours.loglikelihood(requests)
    assert ours.report()["path"] == ("forked" if kind in FORKED else "packed")
    assert max_difference(scores, theirs.loglikelihood(requests, disable_tqdm=True)) < 1e-4


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize(
    ("reason", "kind"), [(reason, kind) for reason, kinds in PLAIN.items() for kind in kinds]
)
def test_not_packed(kind: str, reason: str, dtype: torch.dtype) -> None:
    result = probed(kind, dtype)
    assert result.engine is None
    assert reason in result.reason
    plain_in_half = PLAIN_IN_HALF_PRECISION if dtype != torch.float32 else set()
    assert (result.forking is not None) == (kind in FORKED - plain_in_half)
