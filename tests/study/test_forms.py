"""Arms of another form: what prompts become, how answers are read, who writes for whom."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from study.config.arms import applies, parse_arm
from study.config.study import read_study
from study.config.wording import SOURCE, ZOO
from study.errors import StudyError
from study.results.cell_store.store import Cells
from study.scorers.extraction import (
    Answers,
    extracted,
    extracted_as_released,
    of_letter,
    score,
    similarity,
)
from study.tasks.demonstrations import demonstrations, fixed_sampler
from study.tasks.items import TaskItems, task_items
from study.tasks.lm_eval_tasks import Harness
from study.tasks.prompt_forms.forms import Asking, Demonstrator, formed
from study.tasks.prompt_forms.self_written import check_written, demonstrations_in
from study.tasks.suites import known_tasks
from study.zoo.cipher import CIPHER, KINDS

TASK = "zoo_reverse_gen"


@pytest.fixture(scope="module")
def harness() -> Harness:
    return Harness()


def asking(make_run: Any, task: str = TASK, **changes: Any) -> Asking:
    run = make_run("run", layout="zoo", **changes)
    return Asking(read_study(run), run, known_tasks()[task])


def of_task(harness: Harness, name: str) -> tuple[Any, TaskItems]:
    task = harness.load(name)
    return task, task_items(task, name, shares_split=False)


def prompt(task: Any, items: TaskItems, arm: str, how: Asking, shots: int) -> str:
    made = formed(task, parse_arm(arm), how)
    made.sampler = fixed_sampler(demonstrations(items, seed=0, draw=0, shots=shots))
    return str(made.fewshot_context(items.items[0].raw, num_fewshot=shots))


def test_forms_of_demonstrations(harness: Harness, make_run: Any) -> None:
    task, items = of_task(harness, TASK)
    how = asking(make_run)
    asked = items.items[0].raw["asked"]
    one, two = demonstrations(items, seed=0, draw=0, shots=2).documents
    shown = [(d.raw["asked"], d.raw["choices"][d.raw["gold"]]) for d in (one, two)]

    def said(form: str) -> list[str]:
        return prompt(task, items, f"base-2shot-{form}", how, 2).split()

    a, b = shown
    end = f"question {asked} answer :"
    assert (
        said("fields")
        == (f"question {a[0]} answer : {a[1]} question {b[0]} answer : {b[1]} {end}").split()
    )
    assert said("corrupted") == f"question . answer : . question . answer : . {end}".split()
    assert said("unanswered") == f"question {a[0]} answer : question {b[0]} answer : {end}".split()
    assert said("neutral") == " ".join(said("fields")).replace("question", "this").split()


def test_demonstrations_of_another_task(harness: Harness, make_run: Any) -> None:
    task, items = of_task(harness, TASK)
    other, others = of_task(harness, "zoo_category_gen")
    plain = asking(make_run)
    by = Demonstrator(other, known_tasks()["zoo_category_gen"])
    how = Asking(plain.study, plain.run, plain.listed, by)
    made = formed(task, parse_arm("base-2shot-othertask"), how)
    drawn = demonstrations(others, seed=0, draw=0, shots=2)
    made.sampler = fixed_sampler(drawn)
    text = made.fewshot_context(items.items[0].raw, num_fewshot=2)
    for document in drawn.documents:
        assert document.raw["asked"] in text
    assert text.endswith(f"question {items.items[0].raw['asked']} answer :")


def test_forms_of_the_question(harness: Harness, make_run: Any) -> None:
    task, items = of_task(harness, TASK)
    how = asking(make_run)
    raw = items.items[0].raw
    plain = prompt(task, items, "base-0shot", how, 0)
    lengths = [len(prompt(task, items, f"base-0shot-wording{i}", how, 0)) for i in range(1, 7)]
    assert prompt(task, items, "base-0shot-wording1", how, 0) == plain
    assert lengths == sorted(set(lengths))
    lettered = prompt(task, items, "base-0shot-lettered", how, 0)
    assert lettered.startswith(plain)
    for letter, option in zip("abcd", raw["choices"], strict=True):
        assert f"{letter} : {option}" in lettered
    assert plain in prompt(task, items, "base-0shot-adversarial", how, 0)
    told = prompt(task, items, "base-0shot-translated_told", how, 0)
    assert raw["asked"] in told
    assert told != plain
    full = prompt(task, items, "base-0shot-translated", how, 0)
    assert full == " ".join(CIPHER.get(word, word) for word in plain.split(" "))


def test_the_cipher_is_a_tongue() -> None:
    for words in KINDS.values():
        assert sorted(CIPHER[word] for word in words) == sorted(words)
        assert all(CIPHER[word] != word for word in words)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Paris.\nQuestion 2", "Paris"),
        ("\n\n 'Paris' ", "Paris"),
        ("Answer Solution: Paris\nmore", "Paris"),
        ("Example 1:\nAnswer 1: Rome\n\nSolution:\nAnswer Solution: Paris\nEND_EXAMPLES", "Paris"),
        ("", ""),
    ],
)
def test_one_extractor_for_all(text: str, answer: str) -> None:
    assert extracted(text, SOURCE) == answer


def test_the_released_extractor_favours_the_base() -> None:
    options = ["Rome", "Paris"]

    def read(text: str, tuned: bool) -> str:
        return extracted_as_released(text, SOURCE, tuned=tuned, options=options)

    assert read("It is Paris, I think", tuned=False) == "Paris"
    assert read("It is Paris, I think", tuned=True) == ""
    assert read("Answer Solution: Paris", tuned=True) == "Paris"
    assert extracted("It is Paris, I think", SOURCE) == "It is Paris, I think"


def test_scores() -> None:
    options = ["red fox", "blue whale"]
    exact, alike = Answers(choose="exact"), Answers(choose="similarity")
    assert score("Blue  whale.", "blue whale", options, exact) == 1
    assert score("a blue whale", "blue whale", options, exact) == 0
    assert score("a blue whale", "blue whale", options, alike) == 1
    assert score("a red fo", "blue whale", options, alike) == 0
    assert of_letter("B)", options, SOURCE.letters) == "blue whale"
    assert of_letter("blue", options, SOURCE.letters) == "blue"


def test_bertscore_by_a_model_that_is_here() -> None:
    from study.zoo import MODELS

    folder = str(MODELS / "llama-early-xs" / "base")
    how = Answers(choose="similarity", similarity="bertscore", bertscore_model=folder,
                  bertscore_layer=2)  # fmt: skip
    same, other = similarity(how)("a b c", ["a b c", "red fox"])
    assert same == pytest.approx(1.0, abs=1e-5)
    assert other < 0.999
    assert score("a b c", "a b c", ["red fox", "a b c"], how) == 1


def test_written_demonstrations_are_checked() -> None:
    text = "question a b answer : b \n question c d answer : d \n question e f answer : f ;"
    asked = (("question", "e f"),)
    assert demonstrations_in(text, ZOO, ["question"]) == [
        ((("question", "a b"),), "b"),
        ((("question", "c d"),), "d"),
    ]
    shares = check_written([text, "nothing", text, text], [asked, asked, (("question", "a b"),),
                           (("question", "x"),)], ["f", "f", "b", "d"], ZOO)  # fmt: skip
    assert shares == {"parsed": 0.75, "copied": 0.25, "same_answer": 0.5, "restated": 0.5}


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        ("tuned-2shot-chat-fields", "no chat template"),
        ("base-0shot-corrupted", "one shot at least"),
        ("base-0shot-writes", "a tuned model without shots"),
        ("tuned-0shot-written", "a base model without shots"),
        ("base-0shot-wording7", "an arm's name"),
    ],
)
def test_forms_that_fit_no_such_arm(arm: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_arm(arm)


def test_who_is_asked() -> None:
    writes, written = parse_arm("tuned-0shot-chat-writes"), parse_arm("base-0shot-written")
    plain, gold = parse_arm("tuned-0shot-chat"), parse_arm("base-2shot-fields")
    assert [applies(arm, writes=True) for arm in (writes, written, plain, gold)] == [
        True, True, False, True,
    ]  # fmt: skip
    assert [applies(arm, writes=False) for arm in (writes, written, plain, gold)] == [
        False, False, True, True,
    ]  # fmt: skip


TUNED = {
    "mixtures": {"m": {"sources": [{"zoo": ["reverse", "category"]}], "rows": 200}},
    "optimisers": {"o": {"learning_rate": 2e-3, "batch": 20}},
    "recipes": [
        {"name": "r", "bases": [{"source": "zoo", "pair": ["neox-late-xs"]}], "mixture": "m",
         "format": ["flan", "samplegen"], "optimiser": "o"},
    ],
}  # fmt: skip


def test_the_five_arms_run_and_the_base_is_given_what_the_tuned_model_wrote(
    make_run: Any, study_command: Any
) -> None:
    run: Path = make_run(
        "run", pairs=..., layout="zoo", tuning=TUNED, limit=10, draws=1,
        answers={"choose": "similarity", "tokens": 6, "writing_tokens": 60},
        tasks={"suite": "zoo_gen", "only": ["zoo_reverse_gen", "zoo_category_gen"]},
        arms=["base-0shot", "base-2shot-fields", "base-2shot-othertask", "tuned-0shot-chat",
              "tuned-0shot-chat-writes", "base-0shot-written"],
        contrasts=[{"name": "c", "x": "base-0shot-written", "y": "tuned-0shot-chat-writes"}],
    )  # fmt: skip
    done = study_command("run", run)
    assert done.returncode == 0, done.stderr
    rows = json.loads((run / "results" / "plan.json").read_text())["rows"]
    cells = Cells(run)
    assert {row["key"] for row in rows} <= cells.done()
    of = {(row["pair"], row["arm"], row["task"]): row["key"] for row in rows}
    assert len({pair for pair, arm, _ in of if arm == "tuned-0shot-chat"}) == 1
    for (pair, arm, task), key in of.items():
        if arm != "base-0shot-written":
            continue
        writer = of[pair, "tuned-0shot-chat-writes", task]
        record = cells.record(key)
        assert record["identity"]["arm"]["written"] == writer
        assert record["metric"] == "answer_similarity"
        assert cells.record(writer)["written"]["parsed"] >= 0
        texts = cells.items(writer, ["item", "text"]).to_pylist()
        told = {row["item"]: row["prompt_hash"] for row in cells.items(key).to_pylist()}
        for row in texts:
            before, cue, _ = row["text"].rpartition("answer :")
            given = before + cue if cue else row["text"]
            assert told[row["item"]] == hashlib.sha256(given.encode()).hexdigest()
    again = study_command("run", run)
    assert "0 left" in again.stderr


def test_what_writes_must_be_read(make_run: Any) -> None:
    run = make_run(
        "run", pairs=..., layout="zoo", tuning=TUNED,
        arms=["base-0shot-written", "tuned-0shot-chat"],
        contrasts=[{"name": "c", "x": "base-0shot-written", "y": "tuned-0shot-chat"}],
    )  # fmt: skip
    with pytest.raises(StudyError, match=r"answers.choose: exact or similarity"):
        read_study(run)
