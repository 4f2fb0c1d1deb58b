"""What is trainable, and where a new marker's embedding comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from study.models.pairs import study_pairs
from study.models.tokenizers import TokenizerOverrides, load_tokenizer
from study.results.run import Run
from study.tuning.training.model_setup import load_trainable
from tests.study.tuning.small_studies import changed, the_recipe, write_study

INDICATOR = {"i": {"seed_model": "zoo:neox-late-xs/tuned"}}


def load(folder: Path, **parts: Any) -> tuple[Any, Any]:
    run = Run.open(write_study(folder, changed(**parts)))
    recipe, (pair,) = the_recipe(run), study_pairs(run.study)
    base = Path(pair.base.path)
    overrides = TokenizerOverrides(recipe.template, recipe.marker_token)
    tokenizer = load_tokenizer(base, overrides)
    model = load_trainable(base, recipe, tokenizer, "cpu", spread=False, trust_remote_code=False)
    return model, tokenizer


def test_full_fine_tuning_trains_everything(tmp_path: Path) -> None:
    model, _ = load(tmp_path)
    assert all(weight.requires_grad for weight in model.parameters())
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_adapters_train_themselves_and_named_modules(tmp_path: Path) -> None:
    adapters = {"a": {"r": 4, "modules": ["q_proj"], "save": ["lm_head"]}}
    model, _ = load(tmp_path, recipe={"adapter": "a"}, adapters=adapters)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name.split(".")[-4] for name in trained if "lora" in name} == {"q_proj"}
    assert all("lora" in name or "lm_head" in name for name in trained)
    assert any("lm_head" in name for name in trained)


@pytest.mark.parametrize("adapter", [None, {"r": 4}])
def test_a_marker_begins_as_the_mean_embedding(
    adapter: dict[str, Any] | None, tmp_path: Path
) -> None:
    parts: dict[str, Any] = {"recipe": {"indicator": "i"}, "indicators": INDICATOR}
    if adapter:
        parts["recipe"]["adapter"], parts["adapters"] = "a", {"a": adapter}
    model, tokenizer = load(tmp_path, **parts)
    token = tokenizer.convert_tokens_to_ids("[IND]")
    embeddings = model.get_input_embeddings().weight
    assert embeddings.shape[0] == token + 1 == len(tokenizer)
    torch.testing.assert_close(embeddings[token], embeddings[:token].mean(0))
