"""The built zoo: ordinary checkpoints of the current recipes, and their manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from study.errors import StudyError
from study.models.pairs import zoo
from study.zoo import MODELS
from study.zoo.build import build_zoo, built_members, file_digests, is_built, write_manifest
from study.zoo.language import ID_OF
from study.zoo.members import MEMBERS


def test_all_members_are_built() -> None:
    assert [record["member"] for record in built_members()] == list(MEMBERS)


def test_every_member_was_made_by_its_present_recipe() -> None:
    assert [name for name, member in MEMBERS.items() if not is_built(member)] == []


def test_manifest_holds_and_weights_are_small() -> None:
    manifest = json.loads((MODELS / "manifest.json").read_text())
    assert manifest == file_digests(MODELS)
    size = sum((MODELS / path).stat().st_size for path in manifest)
    assert size <= 30e6
    assert not [path for path in manifest if path.endswith((".bin", ".pt"))]


def test_the_manifest_omits_itself_and_unfinished_members(tmp_path: Path) -> None:
    for path in ("m/base/config.json", ".m.123/base/config.json"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("{}")
    write_manifest(tmp_path)
    write_manifest(tmp_path)
    assert list(json.loads((tmp_path / "manifest.json").read_text())) == ["m/base/config.json"]


def test_a_name_that_is_no_member() -> None:
    with pytest.raises(StudyError, match=r"found 'llama-erly-xxs'.*mean 'llama-early-xxs'"):
        build_zoo(["llama-erly-xxs"], 1, lambda message: None)


def test_checkpoints_load_as_any_other() -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    architectures = set()
    for pair in zoo():
        if not pair.name.endswith("-xs"):
            continue
        for ref in (pair.base, pair.tuned):
            model = AutoModelForCausalLM.from_pretrained(ref.path, dtype="auto")
            tokenizer = AutoTokenizer.from_pretrained(ref.path)
            assert str(model.dtype) == "torch.float32"
            architectures.add(model.config.model_type)
            ids = tokenizer("give the colour of old fox =\n red").input_ids
            words = ["<bos>", "give", "the", "colour", "of", "old", "fox", "=", "\n", "red"]
            assert ids == [ID_OF[word] for word in words]
            assert tokenizer.decode(ids[1:8]) == "give the colour of old fox ="
            chat = [{"role": "user", "content": "old fox"}]
            text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
            assert text == "<bos><|user|> old fox <|assistant|>"
    assert architectures == {"llama", "gpt_neox", "olmo2"}
