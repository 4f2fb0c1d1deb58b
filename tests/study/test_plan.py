"""Planning: identity, what is left out, what lm-eval would have falsified, what has no room."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from study.config.arms import parse_arm
from study.models.pairs import registry, zoo
from study.models.weights import model_facts
from study.planning.plan_study import planned
from study.results.identity import VERSION, cell_identity, cell_key
from study.tasks.demonstrations import demonstrations
from study.tasks.items import task_items
from study.tasks.lm_eval_tasks import Harness
from study.tasks.truncation import Asked, encoded, kept_demonstrations, prompt
from tests.conftest import ROOT, SHARED, Study

MakeRun = Callable[..., Path]

# One key for each version of identity. A change here makes every finished cell unknown.
GOLDEN = {1: "e23b0446c6278940"}


def example_identity(**changes: object) -> dict[str, object]:
    parts: dict[str, object] = {
        "weights": "w", "tokenizer": "t", "dtype": "auto", "engine": "lm-eval hf", "task": "a",
        "task_version": "1.0", "items": "i", "metric": "acc", "limit": None,
        "arm": parse_arm("tuned-5shot-chat").identity(), "demonstrations": "d", "kept": None,
    }  # fmt: skip
    return cell_identity(**{**parts, **changes})  # type: ignore[arg-type]


def test_golden_key() -> None:
    assert cell_key(example_identity())[:16] == GOLDEN[VERSION]


@pytest.mark.parametrize(
    "change",
    [{"weights": "x"}, {"tokenizer": "x"}, {"dtype": "float32"}, {"task_version": "2.0"},
     {"items": "x"}, {"metric": "acc_norm"}, {"limit": 5}, {"demonstrations": "x"},
     {"kept": "x"}, {"arm": parse_arm("tuned-5shot-chat-oneturn").identity()},
     {"arm": parse_arm("tuned-5shot").identity()}],
)  # fmt: skip
def test_what_moves_a_number_moves_the_key(change: dict[str, object]) -> None:
    assert cell_key(example_identity(**change)) != cell_key(example_identity())


def test_the_name_is_not_in_the_key(make_run: MakeRun) -> None:
    one = planned(make_run("one"))
    other = planned(make_run("other", name="renamed"))
    assert [c.key for _, _, c in one.plan.rows] == [c.key for _, _, c in other.plan.rows]


def test_jobs_are_models_and_a_shared_base_is_asked_once(make_run: MakeRun) -> None:
    pair = zoo()[0]
    shared = {"base": pair.base.path, "family": "f", "params_b": 0.001}
    other = zoo()[1].tuned.path
    run = make_run(
        pairs=[{**shared, "tuned": pair.tuned.path, "name": "a"},
               {**shared, "tuned": other, "name": "b"}]
    )  # fmt: skip
    state = planned(run)
    assert len(state.plan.jobs) == 3
    assert len(state.plan.rows) == 2 * 2 * (1 + 2 + 1)
    assert state.cells == 2 * (1 + 2) + 2 * 2


def test_prompts_without_room_lose_whole_demonstrations() -> None:
    task = Harness().load("zoo_lookup_mc")
    items = task_items(task, "zoo_lookup_mc", shares_split=False)
    drawn = demonstrations(items, seed=0, draw=0, shots=5)
    documents = items.items[:30]
    facts = model_facts(zoo()[0].tuned, allow_pickled_weights=False)
    base, tuned = parse_arm("base-5shot"), parse_arm("tuned-5shot-chat")

    def kept(*ways: tuple[object, int]) -> tuple[int, ...] | None:
        asked = {Asked(arm, facts.tokenizer, window, facts.folder) for arm, window in ways}  # type: ignore[arg-type]
        return kept_demonstrations(frozenset(asked), lambda _: task, documents, drawn)

    assert kept((base, 160), (tuned, 160)) is None
    narrow = kept((base, 90))
    assert narrow is not None
    assert set(narrow) <= {0, 1, 2, 3, 4}
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(facts.folder)
    for document, shots in zip(documents, narrow, strict=True):
        texts = [prompt(task, document, n, base, None) + " 1" for n in (shots, shots + 1)]
        fits, not_fits = map(len, encoded(tokenizer, texts))
        assert fits <= 90 < not_fits
    both = kept((base, 90), (tuned, 90))
    only_tuned = kept((tuned, 90))
    assert both is not None
    assert only_tuned is not None
    assert both == tuple(map(min, zip(narrow, only_tuned, strict=True)))
    assert both != narrow


def test_rules_of_lm_eval_that_falsify() -> None:
    reference = SHARED / "reference" / "lm_eval_selfdemo_tasks.json"
    if not reference.exists():
        pytest.skip("the list of self-demonstrating tasks is not at hand")
    harness = Harness()
    entries = {
        name: harness.entry(name, ROOT)
        for name, entry in harness._all.task_index.items()
        if entry.kind.name == "TASK"
    }
    ours = {name for name, entry in entries.items() if entry.demonstrates_itself}
    listed = set(json.loads(reference.read_text()))
    assert listed <= ours
    assert len(ours - listed) <= 25
    assert sum(entry.refuses_shots for entry in entries.values()) >= 805


def test_the_paper_study_plans_offline(study_command: Study) -> None:
    done = study_command("plan", ROOT / "runs" / "paper", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    pairs = {pair.name: pair for pair in registry()}
    assert len(plan["pairs"]) >= 100
    assert len({pairs[name].family for name in plan["pairs"]}) >= 30
    assert len(plan["tasks"]) >= 40
    suite = (ROOT / "study" / "data" / "suites" / "paper.yaml").read_text()
    assert len(set(re.findall(r"task_type: (\w+)", suite))) >= 10
    falsified = [line for line in plan["falsified_by_lm_eval"] if line.startswith("race: ")]
    assert len(falsified) == 1
    assert {"arm": "base-5shot", "task": "ifeval"}.items() <= next(
        entry for entry in plan["left_out"] if entry["task"] == "ifeval"
        and entry["arm"] == "base-5shot"
    ).items()  # fmt: skip
    assert plan["left"]["tokens"] > 1e9
