"""The zoo's lm-eval tasks: items drawn from its skills, as YAML files over local JSON lines.

In: `SKILLS`. Out, in `lm_eval_tasks/`: for each skill `items/<skill>.jsonl` (one line an item, with
its split) and two lm-eval tasks, `zoo_<skill>_mc` (multiple choice by log-likelihood) and
`zoo_<skill>_gen` (generated, exact match), which any lm-eval user can run with `--include_path`.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

from study.data import SUITES
from study.zoo import TASKS
from study.zoo.corpus import WORDINGS
from study.zoo.members import member_exposure
from study.zoo.skills import SKILLS, Skill, SkillQuestion

ITEMS = {"train": 48, "test": 240}
"Number of items in each split; demonstrations come from `train`, scores from `test`."
VERSION = 1.0

_COMMON = """\
task: zoo_{skill}_{form}
tag: zoo_{form}
custom_dataset: !function data.load
output_type: {output_type}
training_split: train
test_split: test
fewshot_split: train
doc_to_text: "{text}"
target_delimiter: " "
fewshot_delimiter: "\\n"
"""
_CHOICE = """\
doc_to_choice: choices
doc_to_target: gold
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
"""
_GENERATED = """\
doc_to_target: "{{choices[gold]}}"
generation_kwargs:
  until: ["\\n", "<eos>"]
  max_gen_toks: 6
  do_sample: false
filter_list:
  - name: answer
    filter:
      - function: regex
        regex_pattern: '^\\s*([^\\n<;.]*[^\\n<;.\\s])'
      - function: take_first
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
"""
_METADATA = """\
metadata:
  version: {version}
  skill: {skill}
"""


def items(skill: Skill) -> dict[str, list[SkillQuestion]]:
    """Distinct questions of a skill by split; no question is in both splits.

    If a skill reserves questions for demonstrations (`Skill.is_reserved`), `train` consists of such
    questions and `test` contains none of them.
    """
    rng = random.Random(f"items of {skill.name}")
    drawn: dict[str, list[SkillQuestion]] = {split: [] for split in ITEMS}
    seen = set()
    while any(len(drawn[split]) < number for split, number in ITEMS.items()):
        question = skill.draw(rng)
        if question.words in seen:
            continue
        if skill.is_reserved is None:
            split = "test" if len(drawn["test"]) < ITEMS["test"] else "train"
        else:
            split = "train" if skill.is_reserved(question.words) else "test"
        if len(drawn[split]) < ITEMS[split]:
            seen.add(question.words)
            drawn[split].append(question)
    return drawn


def _item_line(split: str, question: SkillQuestion, rng: random.Random) -> str:
    choices = [question.answer, *question.wrong]
    order = rng.sample(range(4), 4)
    return json.dumps(
        {
            "split": split,
            "asked": " ".join(question.words),
            "choices": [" ".join(choices[i]) for i in order],
            "gold": order.index(0),
        }
    )


def write_tasks(folder: Path = TASKS) -> None:
    """Write the YAML file and the items of every task to `folder`."""
    (folder / "items").mkdir(parents=True, exist_ok=True)
    for skill in SKILLS.values():
        rng = random.Random(f"order of choices of {skill.name}")
        lines = [
            _item_line(split, question, rng)
            for split, questions in items(skill).items()
            for question in questions
        ]
        (folder / "items" / f"{skill.name}.jsonl").write_text("\n".join(lines) + "\n")
        text = WORDINGS[0].format(keyword=skill.name, asked="{{asked}}")
        for form, output_type, body in (
            ("mc", "multiple_choice", _CHOICE),
            ("gen", "generate_until", _GENERATED),
        ):
            common = _COMMON.format(skill=skill.name, form=form, output_type=output_type, text=text)
            metadata = _METADATA.format(version=VERSION, skill=skill.name)
            (folder / f"zoo_{skill.name}_{form}.yaml").write_text(common + body + metadata)


def write_suites(folder: Path = SUITES) -> None:
    """Write the suites `zoo_mc` and `zoo_gen` to `folder`."""
    for form, metric, chance in (("mc", "acc", 0.25), ("gen", "exact_match,answer", 0.0)):
        kind = {"mc": "multiple-choice", "gen": "generated"}[form]
        lines = [f"description: The zoo's tasks in {kind} form.", "tasks:"]
        for skill in SKILLS.values():
            fields = (
                "fields: {question: '{{asked}}'}, options: choices, "
                if form == "gen"
                else "fields: {question: '{{asked}}'}, "
            )
            fields += (
                f"task: zoo_{skill.name}_{form}, task_type: {skill.task_type}, "
                f"metric: '{metric}', chance: {chance}, exposure: {member_exposure(skill.name)}"
            )
            lines.append(f"  - {{{fields}}}")
        (folder / f"zoo_{form}.yaml").write_text("\n".join(lines) + "\n")
