"""Loads a base model for training by a recipe, and saves the tuned model.

In: a base's folder, a recipe. Out: a model whose trainable weights are those that the recipe names;
later an ordinary checkpoint, with merged adapters, in the number format of the base.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from study.config.tuning.grids import Recipe
from study.config.tuning.methods import Adapter
from study.errors import StudyError
from study.models.folders.loading import load_config, load_model, load_peft_model


def load_trainable(
    folder: Path,
    recipe: Recipe,
    tokenizer: Any,
    device: str,
    *,
    spread: bool,
    trust_remote_code: bool,
) -> Any:
    """The base model, with the recipe's adapter and an embedding of its marker.

    `spread` distributes the weights over all GPUs.
    """
    model = _load_base(folder, recipe, device, spread=spread, trust_remote_code=trust_remote_code)
    new_tokens = _add_marker_embedding(model, tokenizer, recipe.marker_token)
    if device != "cpu" and not hasattr(model, "hf_device_map"):
        model = model.to(device)
    if recipe.adapter is None:
        return model
    return _with_adapter(model, recipe.adapter, new_tokens)


def _load_base(
    folder: Path, recipe: Recipe, device: str, *, spread: bool, trust_remote_code: bool
) -> Any:
    import torch

    # Full fine-tuning keeps float32 weights; autocast computes in half precision.
    half = recipe.optimiser.precision == "bfloat16" and recipe.adapter is not None
    options: dict[str, Any] = {
        "dtype": torch.bfloat16 if half else torch.float32,
        "trust_remote_code": trust_remote_code,
    }
    bits = recipe.adapter and recipe.adapter.bits
    if bits:
        options["quantization_config"] = _quantisation(bits, device)
    if spread or bits:
        options["device_map"] = "auto"
    if device != "cpu":
        options["attn_implementation"] = _gpu_attention()
    model = load_model(folder, **options)
    model.config.use_cache = False
    return model


def _gpu_attention() -> str:
    """The kernels that skip masked blocks between packed documents, if they are installed."""
    from transformers.utils import is_flash_attn_2_available

    return "flash_attention_2" if is_flash_attn_2_available() else "sdpa"


def _quantisation(bits: int, device: str) -> Any:
    if device == "cpu" or find_spec("bitsandbytes") is None:
        missing = "GPU" if device == "cpu" else "bitsandbytes"
        raise StudyError(
            "tuning.adapters: bits",
            found=f"{bits}, and no {missing} here",
            expected="quantised weights only where bitsandbytes and a GPU are available",
            do="Remove `bits`, or run on a machine that has both",
        )
    import torch
    from transformers import BitsAndBytesConfig

    if bits == 8:
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
    )


def _add_marker_embedding(model: Any, tokenizer: Any, marker: str | None) -> list[int]:
    """Give the marker the mean of all input and output embeddings; returns its token id, in a list
    that is empty without a marker."""
    import torch

    if marker is None:
        return []
    token = tokenizer.convert_tokens_to_ids(marker)
    rows = model.get_input_embeddings().weight.shape[0]
    if token >= rows:  # a padded vocabulary may already have a row for it
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        for module in (model.get_input_embeddings(), model.get_output_embeddings()):
            module.weight[token] = module.weight[: min(token, rows)].mean(0)
    return [token]


def _with_adapter(model: Any, adapter: Adapter, new_tokens: list[int]) -> Any:
    try:
        from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    except ImportError:
        raise StudyError(
            "tuning.adapters",
            found="no peft",
            expected="the package peft",
            do="pip install 'icl-convergence[tune]'",
        ) from None
    if adapter.bits:
        model = prepare_model_for_kbit_training(model)  # type: ignore[no-untyped-call]
    modules = adapter.modules
    available = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    for name in (*(modules if isinstance(modules, list) else ()), *adapter.save):
        if name not in available:
            raise StudyError(
                "tuning.adapters",
                found=f"no module {name!r} in the base model",
                expected=f"modules such as {', '.join(sorted(available - {''})[:12])}",
            )
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=adapter.r,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        bias="none",
        target_modules=modules,
        modules_to_save=adapter.save or None,
        trainable_token_indices=new_tokens or None,
    )
    return get_peft_model(model, config)


def save_tuned(
    model: Any,
    base: Path,
    recipe: Recipe,
    tokenizer: Any,
    folder: Path,
    *,
    trust_remote_code: bool,
) -> None:
    """Write the tuned model as an ordinary checkpoint, in the number format of the base in
    `base`."""
    import torch

    if recipe.adapter is not None:
        if recipe.adapter.bits:
            plain = load_model(base, trust_remote_code=trust_remote_code, dtype=torch.bfloat16)
            model = _on_unquantised_base(model, plain, recipe, tokenizer, folder)
        model = model.merge_and_unload()
    dtype = load_config(base, trust_remote_code=trust_remote_code).dtype or torch.float32
    model.config.use_cache = True
    model.to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _on_unquantised_base(
    model: Any, plain: Any, recipe: Recipe, tokenizer: Any, folder: Path
) -> Any:
    """The adapters on the base's unquantised weights: quantised ones cannot be merged exactly."""
    adapter = folder / "adapter"
    model.save_pretrained(adapter)
    _add_marker_embedding(plain, tokenizer, recipe.marker_token)
    merged = load_peft_model(plain, adapter)
    shutil.rmtree(adapter)
    return merged
