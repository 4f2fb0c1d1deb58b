"""Checkpoints that do not fill their model, code that comes with a model, adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from study.errors import StudyError
from study.models.folders.loader import FolderLoader, check_loadable
from study.models.folders.loading import load_config, load_encoder, load_model
from study.models.pairs import zoo
from study.models.tokenizers import TokenizerOverrides, load_tokenizer
from study.models.weights import ModelFacts, folder_facts, locked_model
from study.results.identity import ChangedError
from tests.conftest import ROOT
from tests.study.models.folders.conftest import change_json

LAYER = "model.layers.0.mlp.up_proj.weight"


def _change_tensors(folder: Path, **changes: torch.Tensor | None) -> None:
    """Replace tensors, or remove them where the new one is None."""
    file = folder / "model.safetensors"
    tensors = {**load_file(file), **changes}
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    save_file(kept, file, metadata={"format": "pt"})


def _facts(folder: Path, **options: Any) -> ModelFacts:
    return folder_facts(folder, allow_pickled_weights=False, **options)


def test_missing_tensors_fail_the_model(folder: Path) -> None:
    _change_tensors(folder, **{LAYER: None})
    with pytest.raises(StudyError, match=rf"found a checkpoint that has no '{LAYER}'; expected"):
        load_model(folder)


def test_unexpected_tensors_fail_the_model(folder: Path) -> None:
    _change_tensors(folder, **{"model.layers.9.mlp.up_proj.weight": torch.zeros(2)})
    with pytest.raises(StudyError, match=r"beyond what the model needs, 'model\.layers\.9\.mlp"):
        load_model(folder)


def test_tensors_of_another_shape_fail_the_model(folder: Path) -> None:
    _change_tensors(folder, **{LAYER: torch.zeros(3, 5)})
    with pytest.raises(StudyError, match=rf"that has in another shape '{LAYER}'"):
        load_model(folder)


def test_tied_weights_may_be_missing(folder: Path) -> None:
    config = load_config(folder)
    model = load_model(folder)
    model.config.tie_word_embeddings = True
    model.tie_weights()
    model.save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors")
    assert "lm_head.weight" not in tensors
    tied = load_model(folder)
    assert tied.lm_head.weight is tied.model.embed_tokens.weight
    assert config.vocab_size == len(tied.lm_head.weight)


def test_buffers_that_a_model_computes_may_be_in_the_checkpoint(folder: Path) -> None:
    """As in checkpoints of earlier versions of transformers."""
    _change_tensors(folder, **{"model.layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(4)})
    load_model(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_of_a_model_is_not_run(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is asked on the terminal."""
    monkeypatch.setattr("builtins.input", lambda prompt: pytest.fail(prompt))
    classes = {"AutoConfig": "code.C", "AutoTokenizer": ["code.T", None]}
    change_json(folder / name, auto_map=classes, tokenizer_class="T")
    if name == "config.json":
        change_json(folder / name, model_type="homemade")
    (folder / "code.py").write_text("raise SystemExit('code was run')")
    with pytest.raises(
        StudyError, match=r"(type 'homemade'|needs code of).*`trust_remote_code: true` in"
    ):
        check_loadable(_facts(folder))


@pytest.mark.parametrize("model_type", [None, "homemade", {}, ["llama"], 3])
def test_a_type_that_transformers_does_not_know(model_type: object, folder: Path) -> None:
    change_json(folder / "config.json", model_type=model_type)
    with pytest.raises(StudyError, match=r"found a model of type .*`trust_remote_code: true`"):
        check_loadable(_facts(folder))


def test_code_that_is_trusted_is_part_of_the_model(folder: Path) -> None:
    code = folder / "code.py"
    code.write_text(
        "from transformers import LlamaConfig\n\n\nclass Homemade(LlamaConfig):\n"
        "    model_type = 'homemade'\n"
    )
    classes = {"AutoConfig": "code.Homemade"}
    change_json(folder / "config.json", auto_map=classes, model_type="homemade")
    facts = _facts(folder, trust_remote_code=True)
    assert type(FolderLoader(facts, allow_pickled_weights=False).config()).__name__ == "Homemade"
    locked = locked_model(folder, allow_pickled_weights=False, trust_remote_code=True)
    assert "code.py" in locked.files
    code.write_text(code.read_text() + "\n# changed\n")
    assert _facts(folder, trust_remote_code=True).weights != facts.weights
    untrusted = _facts(folder)
    code.unlink()
    assert _facts(folder).weights == untrusted.weights


def test_code_of_a_trusted_tokenizer_runs(folder: Path) -> None:
    (folder / "code.py").write_text(
        "from transformers import PreTrainedTokenizerFast\n\n\n"
        "class Homemade(PreTrainedTokenizerFast):\n    own = True\n"
    )
    change_json(
        folder / "tokenizer_config.json",
        auto_map={"AutoTokenizer": [None, "code.Homemade"]},
        tokenizer_class="Homemade",
    )
    assert load_tokenizer(folder, TokenizerOverrides(trust_remote_code=True)).own


def test_a_file_that_changes_while_the_model_is_loaded(folder: Path) -> None:
    facts = _facts(folder)
    config = folder / "config.json"
    config.write_text(config.read_text() + " ")
    with pytest.raises(ChangedError, match=r"config\.json changed while the model was loaded"):
        FolderLoader(facts, allow_pickled_weights=False).model()


@pytest.fixture
def adapter(folder: Path, tmp_path: Path) -> Path:
    """An adapter on the model in `folder`, with a tokenizer."""
    from peft import LoraConfig, get_peft_model

    model = load_model(folder)
    torch.manual_seed(0)
    config = LoraConfig(r=2, target_modules=["up_proj"], init_lora_weights=False)
    config.base_model_name_or_path = str(folder)
    get_peft_model(model, config).save_pretrained(tmp_path / "adapter")
    path = tmp_path / "adapter" / "adapter_config.json"
    change_json(path, base_model_name_or_path=str(folder))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "adapter" / name).write_bytes((folder / name).read_bytes())
    return tmp_path / "adapter"


def test_an_adapter_is_applied_to_its_base(adapter: Path, folder: Path) -> None:
    facts, base = _facts(adapter), _facts(folder)
    assert facts.base == folder
    assert (facts.window, facts.parameters) == (base.window, base.parameters)
    assert facts.weight_bytes > base.weight_bytes
    check_loadable(facts)
    ids = torch.tensor([[1, 2, 3]])
    outputs = [
        FolderLoader(each, allow_pickled_weights=False).model()(ids).logits
        for each in (base, facts)
    ]
    assert not torch.equal(*outputs)


@pytest.mark.parametrize("changed", ["alpha", "weights", "base's config", "base's weights"])
def test_the_identity_of_an_adapter_is_total(changed: str, adapter: Path, folder: Path) -> None:
    before = _facts(adapter)
    locked = locked_model(adapter, allow_pickled_weights=False)
    assert {"adapter_config.json", "base/model.safetensors"} <= locked.files.keys()
    if changed == "alpha":
        change_json(adapter / "adapter_config.json", lora_alpha=3)
    elif changed == "base's config":
        change_json(folder / "config.json", rms_norm_eps=0.5)
    else:
        file = adapter / "adapter_model.safetensors"
        file = folder / "model.safetensors" if changed == "base's weights" else file
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(bytes(content))
    assert _facts(adapter).weights != before.weights
    assert _facts(adapter).tokenizer == before.tokenizer


ADAPTER_FAULTS = {
    None: "base_model_name_or_path: found None; expected the folder or hub name",
    "../model": "expected an absolute folder, or a hub name",
    "nobody/nothing": "'nobody/nothing', which is neither a folder nor a model in the hub's",
    "/no/such/folder": "'/no/such/folder', which is no such folder",
}


@pytest.mark.parametrize("base", ADAPTER_FAULTS)
def test_an_adapter_without_its_base_is_an_error(base: str | None, adapter: Path) -> None:
    change_json(adapter / "adapter_config.json", base_model_name_or_path=base)
    with pytest.raises(StudyError, match=ADAPTER_FAULTS[base]):
        _facts(adapter)


def test_a_model_and_an_adapter_in_one_folder_are_refused(adapter: Path, folder: Path) -> None:
    (adapter / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(StudyError, match=r"a config\.json beside an adapter_config\.json"):
        _facts(adapter)


def test_an_adapter_of_an_adapter_is_refused(adapter: Path) -> None:
    change_json(adapter / "adapter_config.json", base_model_name_or_path=str(adapter))
    with pytest.raises(StudyError, match="an adapter of another adapter"):
        _facts(adapter)


def test_an_adapter_that_lacks_tensors_fails(adapter: Path) -> None:
    file = adapter / "adapter_model.safetensors"
    tensors = load_file(file)
    tensors.pop(sorted(tensors)[0])
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(StudyError, match=r"found a checkpoint that has no .*lora_A"):
        FolderLoader(_facts(adapter), allow_pickled_weights=False).model()


def test_an_encoder_needs_no_head(folder: Path) -> None:
    """But it needs its layers."""
    assert load_encoder(folder).config.num_hidden_layers >= 1
    _change_tensors(folder, **{LAYER: None})
    with pytest.raises(StudyError, match=r"has no 'layers\.0\.mlp\.up_proj\.weight'"):
        load_encoder(folder)


def test_models_are_loaded_in_one_place() -> None:
    """Every other call of `from_pretrained` could let code run, or complete a checkpoint."""
    modules = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "study").rglob("*.py"))
        if ".from_pretrained(" in path.read_text()
    ]
    assert modules == ["study/models/folders/loading.py", "study/models/tokenizers.py"]


def test_every_model_of_the_zoo_is_complete() -> None:
    families = {pair.family: pair for pair in zoo()}
    for pair in families.values():
        facts = _facts(Path(pair.tuned.path))
        model = FolderLoader(facts, allow_pickled_weights=False).model()
        assert sum(tensor.numel() for tensor in model.parameters()) == facts.parameters
