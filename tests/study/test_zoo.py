"""The zoo: ordinary checkpoints, made by the recipes they say, in which learning in context is."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path

import numpy as np
import pytest

from study.data import SUITES
from study.models.pairs import zoo
from study.results.schema import EXPOSURES
from study.tasks.suites import Suite
from study.validation import validated
from study.zoo import MODELS
from study.zoo.build import built_members, digests, is_built
from study.zoo.corpus import tuning_rows
from study.zoo.language import ID_OF, SKILLS, WORDS
from study.zoo.members import MEMBERS, TUNED_SKILLS, TWIN_WITHOUT
from study.zoo.tasks import ITEMS, items


def test_members_are_as_many_and_as_various_as_promised() -> None:
    recipes = [member.recipe for member in MEMBERS.values() if member.recipe.without is None]
    assert len(recipes) >= 24
    assert len({recipe.architecture for recipe in recipes}) >= 3
    assert len({recipe.size for recipe in recipes}) >= 4
    assert len({recipe.steps for recipe in recipes}) >= 2
    assert [record["member"] for record in built_members()] == list(MEMBERS)


def test_every_member_was_made_by_its_present_recipe() -> None:
    assert [name for name, member in MEMBERS.items() if not is_built(member)] == []


def test_manifest_holds_and_weights_are_small() -> None:
    listed = json.loads((MODELS / "manifest.json").read_text())
    assert listed == digests(MODELS)
    size = sum((MODELS / path).stat().st_size for path in listed)
    assert size <= 30e6
    assert not [path for path in listed if path.endswith((".bin", ".pt"))]


def test_a_few_steps_of_a_rebuild_fall_and_give_the_shipped_losses() -> None:
    """The first losses of a rebuild are those listed with the shipped weights."""
    import torch

    from study.zoo.training import pretrain

    torch.set_num_threads(1)
    record = next(r for r in built_members() if r["member"] == "llama-early-xs")
    recipe = MEMBERS["llama-early-xs"].recipe
    _, losses = pretrain(recipe, stop_after=len(record["first_losses"]))
    assert losses == pytest.approx(record["first_losses"], rel=1e-3)
    assert losses[-1] < losses[0] - 0.05
    _, others = pretrain(dataclasses.replace(recipe, corpus_seed=99), stop_after=5)
    assert others != pytest.approx(record["first_losses"][:5], rel=1e-3)


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


def test_every_question_has_one_answer_and_three_others() -> None:
    for skill in SKILLS.values():
        rng = random.Random(f"test {skill.name}")
        for _ in range(200):
            question = skill.draw(rng)
            choices = {question.answer, *question.wrong}
            assert len(choices) == 4, (skill.name, question)
            assert {word for choice in choices for word in choice} <= set(WORDS)


def test_items_are_distinct_and_parted_and_many() -> None:
    for skill in SKILLS.values():
        drawn = items(skill)
        assert len(drawn["test"]) == ITEMS["test"] >= 200
        asked = [question.asked for split in drawn.values() for question in split]
        assert len(set(asked)) == len(asked)


def test_shipped_items_and_suites_are_those_of_the_language(tmp_path: Path) -> None:
    from study.zoo.tasks import SUITES, TASKS, write_suites, write_tasks

    write_tasks(tmp_path / "tasks")
    write_suites(tmp_path)
    for path in (tmp_path / "tasks").rglob("*.*"):
        assert path.read_text() == (TASKS / path.relative_to(tmp_path / "tasks")).read_text()
    for path in tmp_path.glob("*.yaml"):
        assert path.read_text() == (SUITES / path.name).read_text()


def test_suite_says_what_tuning_showed() -> None:
    suite = validated(Suite, SUITES / "zoo_mc.yaml")
    shown = {task.task.split("_")[1]: task.exposure for task in suite.tasks}
    assert set(shown.values()) == set(EXPOSURES) - {""}
    assert len({task.task_type for task in suite.tasks}) >= 5
    assert len(shown) >= 12
    keyword_ids = {name: ID_OF[name] for name in SKILLS}
    ids, _ = tuning_rows(seed=0, skills=TUNED_SKILLS, rows=4000)
    for name, keyword in keyword_ids.items():
        assert bool((ids == keyword).any()) == (shown[name] == "seen_task")
    assert TWIN_WITHOUT in TUNED_SKILLS


def test_tuning_takes_loss_on_the_answer_alone() -> None:
    ids, labels = tuning_rows(seed=1, skills=("reverse",), rows=50)
    for row, marked in zip(ids, labels, strict=True):
        taken = np.flatnonzero(marked != -100)
        assert list(row[taken]) == list(marked[taken])
        assert len(taken) == 4
        assert row[taken[-1]] == ID_OF["<eos>"]
        assert row[taken[0] - 1] == ID_OF["<|assistant|>"]
