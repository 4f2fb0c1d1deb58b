"""`shared-prefix` as lm-eval's users meet it: by name, with hf's arguments, on many models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from study.inference import SharedPrefixLM
from tests.study.inference.models import PACKED, ask, both, build, tokenizer
from tests.study.inference.test_architectures import CHOICES, PROMPTS, worst

ZOO = Path(__file__).parents[3] / "study/zoo"


def saved(folder: Path, model: Any) -> str:
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return str(folder)


def test_it_is_registered_and_takes_hfs_arguments() -> None:
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    model = str(ZOO / "models/llama-late-xs/base")
    manager = TaskManager(include_path=str(ZOO / "lm_eval_tasks"), include_defaults=False)
    found = [
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
        ours, theirs = (result["samples"][task] for result in found)
        assert [s["doc_id"] for s in ours] == [s["doc_id"] for s in theirs]
        for a, b in zip(ours, theirs, strict=True):
            assert json.dumps(a["doc"]) == json.dumps(b["doc"])
            for x, y in zip(a["filtered_resps"], b["filtered_resps"], strict=True):
                assert x == (y if isinstance(y, str) else (pytest.approx(y[0], abs=1e-4), y[1]))
    assert found[0]["results"] == found[1]["results"]


def test_chat_templates_are_the_tokenizers() -> None:
    folder = str(ZOO / "models/llama-late-xs/tuned")
    ours = SharedPrefixLM(pretrained=folder, device="cpu", dtype="float32")
    from lm_eval.models.huggingface import HFLM

    theirs = HFLM(pretrained=folder, device="cpu", dtype="float32")
    said = [{"role": "user", "content": "colour of robin"}]
    prompt = ours.apply_chat_template(said)
    assert prompt == theirs.apply_chat_template(said)
    assert prompt.startswith(ours.tokenizer.bos_token)
    assert ours.encoded([prompt]) == [theirs.tok_encode(prompt)]
    assert ours.encoded([prompt])[0].count(ours.tokenizer.bos_token_id) == 1
    requests = ask("generate_until", [(prompt, {"until": ["\n"], "max_gen_toks": 8})])
    assert ours.generate_until(requests) == theirs.generate_until(requests)


def test_adapters(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    from lm_eval.models.huggingface import HFLM

    folder = saved(tmp_path / "model", build(*PACKED["llama"]))
    config = peft.LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    adapter = str(tmp_path / "adapter")
    peft.get_peft_model(build(*PACKED["llama"]), config).save_pretrained(adapter)
    named = {"pretrained": folder, "peft": adapter, "device": "cpu", "dtype": "float32"}
    ours, theirs = SharedPrefixLM(**named), HFLM(**named)
    choices = ask("loglikelihood", CHOICES)
    answers = ours.loglikelihood(choices)
    assert worst(answers, theirs.loglikelihood(choices)) < 1e-4
    assert ours.report()["path"] == "packed"
    plain = SharedPrefixLM(pretrained=folder, device="cpu", dtype="float32")
    assert abs(answers[0][0] - plain.loglikelihood(choices)[0][0]) > 0.01


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_half_precision_is_no_further_from_the_truth_than_lm_evals(dtype: str, device: str) -> None:
    model = build(*PACKED["llama"])
    choices = ask("loglikelihood", CHOICES[:8])
    truth = np.array([a for a, _ in both(model)[1].loglikelihood(choices)])
    ours, theirs = both(model.to(device, getattr(torch, dtype)))
    assert ours.probed.engine is not None
    found = [np.array([a for a, _ in side.loglikelihood(choices)]) for side in (ours, theirs)]
    of_ours, of_theirs = (np.sqrt(np.mean((side - truth) ** 2)) for side in found)
    assert of_ours <= of_theirs


@pytest.mark.gpu
def test_on_a_gpu_answers_are_the_cpus() -> None:
    for name in ("llama", "gemma2", "mistral, window"):
        model = build(*PACKED[name])
        choices, prompts = ask("loglikelihood", CHOICES), ask("generate_until", PROMPTS)
        here, texts = both(model)[1].loglikelihood(choices), both(model)[1].generate_until(prompts)
        ours, _ = both(model.to("cuda"))
        assert worst(ours.loglikelihood(choices), here) < 1e-4
        assert ours.generate_until(prompts) == texts
        assert ours.report()["path"] == "packed"


@pytest.mark.gpu
def test_a_model_spread_over_gpus(tmp_path: Path) -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    folder = saved(tmp_path, build(*PACKED["llama"]))
    ours = SharedPrefixLM(pretrained=folder, dtype="float32", parallelize=True)
    assert len({p.device for p in ours.model.parameters()}) > 1
    _, theirs = both(build(*PACKED["llama"]))
    choices = ask("loglikelihood", CHOICES)
    assert worst(ours.loglikelihood(choices), theirs.loglikelihood(choices)) < 1e-4


def test_a_model_taken_apart_by_a_device_map(tmp_path: Path) -> None:
    """The hooks that move tensors between devices, as accelerate sets them, on the one we have."""
    from accelerate import dispatch_model

    model = build(*PACKED["gemma2"])
    choices = ask("loglikelihood", CHOICES)
    expected = both(model)[1].loglikelihood(choices)
    parts = {"model.embed_tokens": "cpu", "model.layers.0": "cpu", "model.layers.1": "disk",
             "model.norm": "cpu", "model.rotary_emb": "cpu", "lm_head": "cpu"}  # fmt: skip
    spread = dispatch_model(model, parts, main_device="cpu", offload_dir=str(tmp_path))
    ours, _ = both(spread)
    assert worst(ours.loglikelihood(choices), expected) < 1e-4
    assert ours.report()["path"] == "packed"


def test_generation_heeds_the_models_own_config() -> None:
    model = build(*PACKED["llama"])
    model.generation_config.repetition_penalty = 1.8
    ours, theirs = both(model)
    prompts = ask("generate_until", PROMPTS)
    found = ours.generate_until(prompts)
    assert found == theirs.generate_until(prompts)
    assert ours.report()["path"] == "packed"
    model.generation_config.repetition_penalty = None
    assert found != ours.generate_until(prompts)
    model.generation_config.no_repeat_ngram_size = 1
    # One alone: in a batch lm-eval's padding counts among the n-grams.
    assert ours.generate_until(prompts[:1]) == theirs.generate_until(prompts[:1])
    report = ours.report()
    assert report["path"] == "mixed"
    assert any("no_repeat_ngram_size" in reason for reason in report["plain_requests"])


def test_encoder_decoders_take_the_plain_path(tmp_path: Path) -> None:
    from lm_eval.models.huggingface import HFLM
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    config = T5Config(vocab_size=300, d_model=32, d_ff=48, num_layers=2, num_heads=4, d_kv=8,
                      decoder_start_token_id=0, n_positions=512)  # fmt: skip
    folder = saved(tmp_path, T5ForConditionalGeneration(config))
    named = {"pretrained": folder, "device": "cpu", "dtype": "float32", "max_length": 512}
    # In one batch on both sides: how long lm-eval lets a decoder write depends on its neighbours.
    ours, theirs = SharedPrefixLM(**named), HFLM(**named, batch_size=64)
    assert ours.backend == "seq2seq"
    choices, prompts = ask("loglikelihood", CHOICES[:6]), ask("generate_until", PROMPTS)
    assert worst(ours.loglikelihood(choices), theirs.loglikelihood(choices)) < 1e-4
    assert ours.generate_until(prompts) == theirs.generate_until(prompts)
    report = ours.report()
    assert (report["path"], report["plain_requests"]) == ("plain", {"encoder-decoder": 10})


def test_sampling_takes_the_plain_path() -> None:
    ours, theirs = both(build(*PACKED["llama"]))
    how = {"until": [], "max_gen_toks": 8, "do_sample": True, "temperature": 1.5}
    prompts = ask("generate_until", [("the bath", how)])
    texts = []
    for side in (ours, theirs):
        torch.manual_seed(0)
        texts.append(side.generate_until(prompts))
    assert texts[0] == texts[1]
    assert ours.report()["plain_requests"] == {"sampling is asked for": 1}


def test_no_room_for_a_prompt_is_said() -> None:
    ours, _ = both(build(*PACKED["llama"]), max_length=20)
    with pytest.raises(ValueError, match="leave no room for a prompt"):
        ours.generate_until(ask("generate_until", [("a", {"until": [], "max_gen_toks": 20})]))
