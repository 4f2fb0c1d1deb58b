"""A base model made ready to be tuned, and a tuned model made ready to be asked.

In: a base's folder, a recipe. Out: a model whose trainable weights are those the recipe names, with
its tokenizer; later the plain checkpoint, adapters merged, in the number format that the base has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from study.config.tuning.grids import Recipe
from study.config.tuning.methods import Adapter
from study.errors import StudyError
from study.tuning.data.rendering import set_template


def tokenizer_for(folder: Path, template: str, marker: str | None) -> Any:
    """The base's tokenizer with the recipe's chat template, and its marker as a token."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    set_template(tokenizer, template, str(folder))
    if marker is not None:
        tokenizer.add_tokens([marker], special_tokens=True)
    return tokenizer


def trainable(
    folder: Path, recipe: Recipe, tokenizer: Any, device: str, *, spread: bool, remote_code: bool
) -> Any:
    """The base model with what the recipe trains."""
    model = _loaded(folder, recipe, device, spread=spread, remote_code=remote_code)
    new = _room_for(model, tokenizer, recipe.marker_token)
    if device != "cpu" and not hasattr(model, "hf_device_map"):
        model = model.to(device)
    if recipe.adapter is None:
        return model
    return _with_adapter(model, recipe.adapter, new)


def _loaded(folder: Path, recipe: Recipe, device: str, *, spread: bool, remote_code: bool) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    half = recipe.optimiser.precision == "bfloat16" and recipe.adapter is not None
    options: dict[str, Any] = {
        "dtype": torch.bfloat16 if half else torch.float32,
        "trust_remote_code": remote_code,
        "use_safetensors": True,
    }
    bits = recipe.adapter and recipe.adapter.bits
    if bits:
        options["quantization_config"] = _quantised(bits, device)
    if spread or bits:
        options["device_map"] = "auto"
    if device != "cpu":
        options["attn_implementation"] = _attention_on_gpu()
    model = AutoModelForCausalLM.from_pretrained(folder, **options)
    model.config.use_cache = False
    return model


def _attention_on_gpu() -> str:
    """Kernels that skip what documents in one row do not see of each other, where they are."""
    from transformers.utils import is_flash_attn_2_available

    return "flash_attention_2" if is_flash_attn_2_available() else "sdpa"


def _quantised(bits: int, device: str) -> Any:
    from importlib.util import find_spec

    if device == "cpu" or find_spec("bitsandbytes") is None:
        lacking = "a GPU" if device == "cpu" else "bitsandbytes"
        raise StudyError("tuning.adapters: bits", found=f"{bits}, and no {lacking} here",
                         expected="quantised weights only where bitsandbytes and a GPU are",
                         do="Leave `bits` out, or run where they are")  # fmt: skip
    import torch
    from transformers import BitsAndBytesConfig

    if bits == 8:
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
    )


def _room_for(model: Any, tokenizer: Any, marker: str | None) -> list[int]:
    """Gives the marker an embedding, the mean of all (in and out); returns its id."""
    import torch

    if marker is None:
        return []
    token = tokenizer.convert_tokens_to_ids(marker)
    before = model.get_input_embeddings().weight.shape[0]
    if token >= before:  # padded vocabularies have room already
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        for module in (model.get_input_embeddings(), model.get_output_embeddings()):
            module.weight[token] = module.weight[: min(token, before)].mean(0)
    return [token]


def _with_adapter(model: Any, adapter: Adapter, new_tokens: list[int]) -> Any:
    try:
        from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    except ImportError:
        raise StudyError("tuning.adapters", found="no peft", expected="the package peft",
                         do="pip install 'icl-convergence[tune]'") from None  # fmt: skip
    if adapter.bits:
        model = prepare_model_for_kbit_training(model)  # type: ignore[no-untyped-call]
    modules = adapter.modules
    names = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    for name in (*(modules if isinstance(modules, list) else ()), *adapter.save):
        if name not in names:
            raise StudyError(
                "tuning.adapters",
                found=f"no module {name!r} in the base model",
                expected=f"modules such as {', '.join(sorted(names - {''})[:12])}",
            )
    config = LoraConfig(
        task_type="CAUSAL_LM", r=adapter.r, lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout, bias="none", target_modules=modules,
        modules_to_save=adapter.save or None,
        trainable_token_indices=new_tokens or None,
    )  # fmt: skip
    return get_peft_model(model, config)


def save_whole(model: Any, base: Path, recipe: Recipe, tokenizer: Any, folder: Path) -> None:
    """Writes the tuned model as an ordinary checkpoint, in the base's number format."""
    import torch
    from transformers import AutoConfig

    if recipe.adapter is not None:
        if recipe.adapter.bits:
            model = _on_plain_weights(model, base, recipe, tokenizer, folder)
        model = model.merge_and_unload()
    dtype = AutoConfig.from_pretrained(base).dtype or torch.float32
    model.config.use_cache = True
    model.to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _on_plain_weights(model: Any, base: Path, recipe: Recipe, tokenizer: Any, folder: Path) -> Any:
    """The adapters on weights that are not quantised, for quantised ones cannot take them up
    exactly."""
    import shutil

    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    kept = folder / "adapter"
    model.save_pretrained(kept)
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16, use_safetensors=True)
    _room_for(plain, tokenizer, recipe.marker_token)
    merged = PeftModel.from_pretrained(plain, kept)
    shutil.rmtree(kept)
    return merged
