"""`shared-prefix` as users of lm-eval call it: by name, with the arguments of `hf`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from study.inference import SharedPrefixLM
from tests.study.inference.small_models import (
    CHOICES,
    PACKED,
    PROMPTS,
    build_model,
    build_tokenizer,
    lm_requests,
    max_difference,
    shared_prefix_and_hf,
)

ZOO = Path(__file__).parents[4] / "study/zoo"


def save(folder: Path, model: Any) -> str:
    model.save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    return str(folder)


def test_is_registered_and_takes_the_arguments_of_hf() -> None:
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    model = str(ZOO / "models/llama-late-xs/base")
    manager = TaskManager(include_path=str(ZOO / "lm_eval_tasks"), include_defaults=False)
    results = [
        simple_evaluate(
            model=name,
            model_args=f"pretrained={model},dtype=float32,max_length=300",
            tasks=["zoo_colour_mc", "zoo_reverse_gen"],
            num_fewshot=3,
            limit=25,
            batch_size=7,
            device="cpu",
            task_manager=manager,
            bootstrap_iters=0,
        )
        for name in ("shared-prefix", "hf")
    ]
    for task in ("zoo_colour_mc", "zoo_reverse_gen"):
        ours, theirs = (result["samples"][task] for result in results)
        assert [s["doc_id"] for s in ours] == [s["doc_id"] for s in theirs]
        for a, b in zip(ours, theirs, strict=True):
            assert json.dumps(a["doc"]) == json.dumps(b["doc"])
            for x, y in zip(a["filtered_resps"], b["filtered_resps"], strict=True):
                assert x == (y if isinstance(y, str) else (pytest.approx(y[0], abs=1e-4), y[1]))
    assert results[0]["results"] == results[1]["results"]


def test_applies_the_chat_template_of_the_tokenizer() -> None:
    folder = str(ZOO / "models/llama-late-xs/tuned")
    ours = SharedPrefixLM(pretrained=folder, device="cpu", dtype="float32")
    from lm_eval.models.huggingface import HFLM

    theirs = HFLM(pretrained=folder, device="cpu", dtype="float32")
    messages = [{"role": "user", "content": "colour of robin"}]
    prompt = ours.apply_chat_template(messages)
    assert prompt == theirs.apply_chat_template(messages)
    assert prompt.startswith(ours.tokenizer.bos_token)
    assert ours.encoded([prompt]) == [theirs.tok_encode(prompt)]
    assert ours.encoded([prompt])[0].count(ours.tokenizer.bos_token_id) == 1
    requests = lm_requests("generate_until", [(prompt, {"until": ["\n"], "max_gen_toks": 8})])
    assert ours.generate_until(requests) == theirs.generate_until(requests)


def test_adapters(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    from lm_eval.models.huggingface import HFLM

    folder = save(tmp_path / "model", build_model(*PACKED["llama"]))
    config = peft.LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    adapter = str(tmp_path / "adapter")
    peft.get_peft_model(build_model(*PACKED["llama"]), config).save_pretrained(adapter)
    named = {"pretrained": folder, "peft": adapter, "device": "cpu", "dtype": "float32"}
    ours, theirs = SharedPrefixLM(**named), HFLM(**named)
    choices = lm_requests("loglikelihood", CHOICES)
    answers = ours.loglikelihood(choices)
    assert max_difference(answers, theirs.loglikelihood(choices)) < 1e-4
    assert ours.report()["path"] == "packed"
    plain = SharedPrefixLM(pretrained=folder, device="cpu", dtype="float32")
    assert abs(answers[0][0] - plain.loglikelihood(choices)[0][0]) > 0.01


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_half_precision_is_no_less_accurate_than_hf(dtype: str, device: str) -> None:
    model = build_model(*PACKED["llama"])
    choices = lm_requests("loglikelihood", CHOICES[:8])
    exact = np.array([a for a, _ in shared_prefix_and_hf(model)[1].loglikelihood(choices)])
    ours, theirs = shared_prefix_and_hf(model.to(device, getattr(torch, dtype)))
    assert ours.probe.engine is not None
    scores = [np.array([a for a, _ in side.loglikelihood(choices)]) for side in (ours, theirs)]
    our_error, their_error = (np.sqrt(np.mean((side - exact) ** 2)) for side in scores)
    assert our_error <= their_error


@pytest.mark.gpu
def test_results_on_a_gpu_are_those_on_a_cpu() -> None:
    for name in ("llama", "gemma2", "mistral, window"):
        model = build_model(*PACKED[name])
        choices, prompts = (
            lm_requests("loglikelihood", CHOICES),
            lm_requests("generate_until", PROMPTS),
        )
        here, texts = (
            shared_prefix_and_hf(model)[1].loglikelihood(choices),
            shared_prefix_and_hf(model)[1].generate_until(prompts),
        )
        ours, _ = shared_prefix_and_hf(model.to("cuda"))
        assert max_difference(ours.loglikelihood(choices), here) < 1e-4
        assert ours.generate_until(prompts) == texts
        assert ours.report()["path"] == "packed"


@pytest.mark.gpu
def test_a_model_spread_over_gpus(tmp_path: Path) -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    folder = save(tmp_path, build_model(*PACKED["llama"]))
    ours = SharedPrefixLM(pretrained=folder, dtype="float32", parallelize=True)
    assert len({p.device for p in ours.model.parameters()}) > 1
    _, theirs = shared_prefix_and_hf(build_model(*PACKED["llama"]))
    choices = lm_requests("loglikelihood", CHOICES)
    assert max_difference(ours.loglikelihood(choices), theirs.loglikelihood(choices)) < 1e-4


def test_a_model_dispatched_over_devices(tmp_path: Path) -> None:
    """With accelerate's hooks, which move tensors between devices."""
    from accelerate import dispatch_model

    model = build_model(*PACKED["gemma2"])
    choices = lm_requests("loglikelihood", CHOICES)
    expected = shared_prefix_and_hf(model)[1].loglikelihood(choices)
    parts = dict.fromkeys(
        ("model.embed_tokens", "model.layers.0", "model.norm", "model.rotary_emb", "lm_head"), "cpu"
    )
    parts["model.layers.1"] = "disk"
    spread = dispatch_model(model, parts, main_device="cpu", offload_dir=str(tmp_path))
    ours, _ = shared_prefix_and_hf(spread)
    assert max_difference(ours.loglikelihood(choices), expected) < 1e-4
    assert ours.report()["path"] == "packed"


def test_generation_follows_the_models_generation_config() -> None:
    model = build_model(*PACKED["llama"])
    model.generation_config.repetition_penalty = 1.8
    ours, theirs = shared_prefix_and_hf(model)
    prompts = lm_requests("generate_until", PROMPTS)
    penalised = ours.generate_until(prompts)
    assert penalised == theirs.generate_until(prompts)
    assert ours.report()["path"] == "packed"
    model.generation_config.repetition_penalty = None
    assert penalised != ours.generate_until(prompts)
    model.generation_config.no_repeat_ngram_size = 1
    # A single prompt: in a batch, the padding of hf counts as n-grams.
    assert ours.generate_until(prompts[:1]) == theirs.generate_until(prompts[:1])
    report = ours.report()
    assert report["path"] == "mixed"
    assert any("no_repeat_ngram_size" in reason for reason in report["plain_requests"])


def test_encoder_decoders_take_the_plain_path(tmp_path: Path) -> None:
    from lm_eval.models.huggingface import HFLM
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    config = T5Config(
        vocab_size=300,
        d_model=32,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        d_kv=8,
        decoder_start_token_id=0,
        n_positions=512,
    )
    folder = save(tmp_path, T5ForConditionalGeneration(config))
    named = {"pretrained": folder, "device": "cpu", "dtype": "float32", "max_length": 512}
    # One batch on both sides: the maximum length of a decoder's response depends on the batch.
    ours, theirs = SharedPrefixLM(**named), HFLM(**named, batch_size=64)
    assert ours.backend == "seq2seq"
    choices, prompts = (
        lm_requests("loglikelihood", CHOICES[:6]),
        lm_requests("generate_until", PROMPTS),
    )
    assert max_difference(ours.loglikelihood(choices), theirs.loglikelihood(choices)) < 1e-4
    assert ours.generate_until(prompts) == theirs.generate_until(prompts)
    report = ours.report()
    assert (report["path"], report["plain_requests"]) == ("plain", {"encoder-decoder": 10})


def test_sampling_takes_the_plain_path() -> None:
    ours, theirs = shared_prefix_and_hf(build_model(*PACKED["llama"]))
    arguments = {"until": [], "max_gen_toks": 8, "do_sample": True, "temperature": 1.5}
    prompts = lm_requests("generate_until", [("the bath", arguments)])
    texts = []
    for side in (ours, theirs):
        torch.manual_seed(0)
        texts.append(side.generate_until(prompts))
    assert texts[0] == texts[1]
    assert ours.report()["plain_requests"] == {"sampling was requested": 1}


def test_no_room_for_a_prompt() -> None:
    ours, _ = shared_prefix_and_hf(build_model(*PACKED["llama"]), max_length=20)
    with pytest.raises(ValueError, match="leaves no room for a prompt"):
        ours.generate_until(
            lm_requests("generate_until", [("a", {"until": [], "max_gen_toks": 20})])
        )


def test_plain_path_is_taken_within_its_context() -> None:
    ours, theirs = shared_prefix_and_hf(build_model(*PACKED["llama"]))
    choices = lm_requests("loglikelihood", CHOICES)
    prompts = lm_requests("generate_until", PROMPTS)
    texts = lm_requests("loglikelihood_rolling", [("the bath in an inn",)])
    with ours.plain_path("steered"):
        scores = ours.loglikelihood(choices)
        responses = ours.generate_until(prompts)
        ours.loglikelihood_rolling(texts)
    report = ours.report()
    assert report["path"] == "plain"
    assert report["packed_requests"] == 0
    assert report["plain_requests"] == {"steered": len(choices) + len(prompts) + len(texts)}
    assert max_difference(scores, theirs.loglikelihood(choices)) < 1e-4
    assert responses == theirs.generate_until(prompts)
    ours.loglikelihood(choices)
    assert ours.report()["path"] == "packed"


def test_plain_path_nests_and_ends_with_an_exception() -> None:
    ours, _ = shared_prefix_and_hf(build_model(*PACKED["llama"]))
    choices = lm_requests("loglikelihood", CHOICES[:1])
    with ours.plain_path("outer"):
        with ours.plain_path("inner"):
            ours.loglikelihood(choices)
        ours.loglikelihood(choices)
    with pytest.raises(RuntimeError, match="hook failed"), ours.plain_path("failed"):
        raise RuntimeError("hook failed")
    ours.loglikelihood(choices)
    report = ours.report()
    assert report["path"] == "mixed"
    assert report["packed_requests"] == 1
    assert report["plain_requests"] == {"inner": 1, "outer": 1}


def test_plain_path_needs_a_reason() -> None:
    ours, _ = shared_prefix_and_hf(build_model(*PACKED["llama"]))
    with pytest.raises(ValueError, match="needs a reason"), ours.plain_path(""):
        pass
