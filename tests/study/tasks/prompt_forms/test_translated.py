"""Questions in another language, word by word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from study.errors import StudyError
from study.tasks.prompt_forms.translated import Translation, translation
from study.zoo.cipher import CIPHER
from tests.study.tasks.conftest import MakePrompts


def _enciphered(text: str) -> str:
    return " ".join(CIPHER.get(word, word) for word in text.split(" "))


def test_words_are_replaced_and_unknown_ones_stay() -> None:
    words = Translation({"red": "rouge", "fox": "renard"})
    assert words.translate("a red fox") == "a rouge renard"
    assert words.translate("a red fox", except_in="the fox") == "a rouge fox"
    assert words.translate("red  fox") == "rouge  renard", "spaces stay"


def test_the_whole_question_or_only_the_instruction(make_prompts: MakePrompts) -> None:
    prompts = make_prompts()
    content, plain = prompts.document().raw["asked"], prompts.prompt("base-0shot")
    instruction = prompts.prompt("base-0shot-translated_told")
    assert content in instruction
    assert instruction != plain
    assert prompts.prompt("base-0shot-translated") == _enciphered(plain)


def test_targets_choices_and_solution_are_translated(make_prompts: MakePrompts) -> None:
    generated, chosen = make_prompts(), make_prompts("zoo_reverse_mc")
    raw = generated.document().raw
    options = [_enciphered(choice) for choice in raw["choices"]]
    assert generated.prompted("base-0shot-translated").doc_to_target(raw) == options[raw["gold"]]
    task = chosen.prompted("base-0shot-translated")
    assert task.doc_to_choice(raw) == options
    assert task.doc_to_target(raw) == raw["gold"]
    form = generated.form("base-0shot-translated")
    assert form.solution(generated.question(), generated.context) == (options, options[raw["gold"]])
    instruction = generated.prompted("base-0shot-translated_told")
    assert instruction.doc_to_target(raw) == raw["choices"][raw["gold"]], "only the instruction"


def test_a_dictionary_beside_the_study_file(make_prompts: MakePrompts) -> None:
    prompts = make_prompts(layout={"translated": "words.json"})
    file = prompts.study.folder / "words.json"
    form = prompts.form("base-0shot-translated")
    with pytest.raises(StudyError, match=r"words\.json: found .*No such file"):
        translation(prompts.study)
    assert "words.json" in str(form.problem(prompts.study))
    file.write_text(json.dumps({"give": "donne"}))
    assert form.problem(prompts.study) is None
    assert prompts.prompt("base-0shot-translated").startswith("donne the reverse of")


@pytest.mark.parametrize("content", ["[]", '{"give": 1}'])
def test_a_dictionary_of_another_form_is_refused(
    content: str, make_prompts: MakePrompts, tmp_path: Path
) -> None:
    prompts = make_prompts(layout={"translated": "words.json"})
    (prompts.study.folder / "words.json").write_text(content)
    with pytest.raises(StudyError, match="expected an object that maps words"):
        translation(prompts.study)


def test_a_layout_without_a_dictionary_is_a_problem(make_prompts: MakePrompts) -> None:
    prompts = make_prompts(layout="source")
    for name in ("translated", "translated_told"):
        problem = prompts.form(f"base-0shot-{name}").problem(prompts.study)
        assert "layout.translated: found nothing" in str(problem)
