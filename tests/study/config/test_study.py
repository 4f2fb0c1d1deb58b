"""Every kind of invalid study file has one clear error; what a valid one says about itself."""

from __future__ import annotations

import datetime
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from study.config.executors import SlurmResources
from study.config.pairs import ListedPair
from study.config.study import read_study
from study.config.wording import SOURCE, ZOO, Layout
from study.errors import StudyError
from tests.conftest import MakeRun, StudyCommand


def _listed(**changes: Any) -> list[dict[str, Any]]:
    task = {"task": "zoo_colour_mc", "task_type": "a", "metric": "acc", "chance": 0.25}
    return [{**task, **changes}]


def _pair(**changes: Any) -> list[dict[str, Any]]:
    pair = {"base": "a/b", "tuned": "a/c", "family": "a", "params_b": 1.0}
    return [{key: value for key, value in {**pair, **changes}.items() if value is not ...}]


# (what is changed, parts of the message: the key, what was found, what is allowed)
INVALID: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown key": ({"armz": []}, ["armz: found an unknown key", "Did you mean 'arms'?"]),
    "no name": ({"name": ...}, ["name: found nothing", "required"]),
    "name with a space": ({"name": "a b"}, ["name: found 'a b'", "pattern"]),
    "thinking without a budget": (
        {"arms": ["tuned-0shot-chat-thinking"]},
        ["arms[0]", "a budget: {name: tuned-0shot-chat-thinking, thinking_tokens: 1024}"],
    ),
    "options without a budget": (
        {"arms": [{"name": "tuned-0shot-chat-thinking", "draws": 1}]},
        ["arms[0]", "thinking_tokens: the budget of tuned-0shot-chat-thinking, found none"],
    ),
    "a budget without thinking": (
        {"arms": [{"name": "tuned-0shot-chat", "thinking_tokens": 9}]},
        ["arms[0]", "thinking_tokens: a thinking arm, such as tuned-0shot-chat-thinking"],
    ),
    "date as text": ({"date": "2026-01-01"}, ["date: found '2026-01-01'", "a valid date"]),
    "date as number": ({"date": 5}, ["date: found 5", "a valid date"]),
    "template arguments of a base arm": (
        {"arms": [{"name": "base-0shot", "template_arguments": {"a": 1}}]},
        ["arms[0]", "template_arguments: an arm with a chat template (-chat)"],
    ),
    "a list as template argument": (
        {"arms": [{"name": "tuned-0shot-chat", "template_arguments": {"a": [1]}}]},
        ["arms[0].template_arguments: found", "a: true, false, a finite number, a text or null"],
    ),
    "no name of a variable": (
        {"pairs": _pair(template_arguments={"a b": 1})},
        ["pairs[0].template_arguments: found", "names of variables, found 'a b'"],
    ),
    "no pairs": ({"pairs": []}, ["pairs: one at least, found none"]),
    "pairs not a list": ({"pairs": "zoo"}, ["pairs: found 'zoo'", "a valid list"]),
    "unknown source": ({"pairs": [{"source": "zo"}]}, ["pairs[0].source", "Did you mean 'zoo'?"]),
    "unknown key of a selection": (
        {"pairs": [{"source": "zoo", "famly": ["x"]}]},
        ["pairs[0].famly: found an unknown key", "Did you mean 'family'?"],
    ),
    "pair without size": ({"pairs": _pair(params_b=...)}, ["pairs[0].params_b: found nothing"]),
    "pair of negative size": (
        {"pairs": _pair(params_b=-1)},
        ["pairs[0].params_b: found -1", "greater than 0"],
    ),
    "misspelt key of a pair": (
        {"pairs": _pair(param_b=1)},
        ["pairs[0].param_b: found an unknown key", "Did you mean 'params_b'?"],
    ),
    "no arms": ({"arms": []}, ["arms: one at least, found none"]),
    "unknown arm": ({"arms": ["base-5shots"]}, ["arms[0]: found 'base-5shots'", "base-5shot"]),
    "template on a base arm": (
        {"arms": ["base-5shot-chat"]},
        ["arms[0]", "no chat template on a base arm", "'base-5shot'"],
    ),
    "arm twice": ({"arms": ["base-0shot", "base-0shot"]}, ["each arm once", "'base-0shot'"]),
    "arm that is a number": (
        {"arms": [5]},
        ["arms[0]: found 5", "Write it in quotes"],
    ),
    "draws of an arm": (
        {"arms": [{"name": "base-5shot", "draws": 0}]},
        ["arms[0].draws: found 0", "greater than or equal to 1"],
    ),
    "contrast of an arm that is not evaluated": (
        {"contrasts": [{"name": "c", "x": "base-4shot", "y": "tuned-0shot-chat"}]},
        ["contrasts[0].x", "found 'base-4shot'", "Did you mean 'base-5shot'?"],
    ),
    "contrast without y": (
        {"contrasts": [{"name": "c", "x": "base-5shot"}]},
        ["contrasts[0].y: found nothing"],
    ),
    "contrasts of one name": (
        {"contrasts": [{"name": "c", "x": "base-5shot", "y": "tuned-0shot-chat"}] * 2},
        ["contrasts: a different name for each contrast"],
    ),
    "no draws": ({"draws": 0}, ["draws: found 0", "greater than or equal to 1"]),
    "draws in words": ({"draws": "three"}, ["draws: found 'three'", "integer"]),
    "draws that are a fraction": ({"draws": 2.5}, ["draws: found 2.5", "integer"]),
    "draws with a decimal point": ({"draws": 2.0}, ["draws: found 2.0", "integer"]),
    "draws in quotes": ({"draws": "3"}, ["draws: found '3'", "integer"]),
    "true for a number": ({"limit": True}, ["limit: found True", "integer"]),
    "a number for true": ({"trust_remote_code": 1}, ["trust_remote_code: found 1", "boolean"]),
    "absurd limit": ({"limit": 10**17}, ["limit: found", "less than or equal to"]),
    "infinite size": ({"pairs": _pair(params_b=float("inf"))}, ["params_b: found inf", "finite"]),
    "no size": ({"pairs": _pair(params_b=float("nan"))}, ["params_b: found nan", "finite"]),
    "size of true": ({"pairs": _pair(params_b=True)}, ["params_b: found True", "number"]),
    "pair that is a number": (
        {"pairs": _pair(name=2.1)},
        ["pairs[0].name: found 2.1; expected a text. Write it in quotes"],
    ),
    "pair that is a date": (
        {"pairs": _pair(name=datetime.date(2026, 1, 2))},
        ["pairs[0].name: found 2026-01-02; expected a text. Write it in quotes"],
    ),
    "pair that leaves its folder": ({"pairs": _pair(name="a/../b")}, ["pairs[0].name", "'..'"]),
    "family of two lines": ({"pairs": _pair(family="a\nb")}, ["pairs[0].family", "one line"]),
    "family with a terminal sequence": (
        {"pairs": _pair(family="\x1b]0;a\x07")},
        ["pairs[0].family", "control characters", r"'\x1b]0;a\x07'"],
    ),
    "family without a name": ({"pairs": _pair(family="")}, ["pairs[0].family", "found ''"]),
    "path that no file system has": (
        {"pairs": _pair(base="a" * 256)},
        ["pairs[0].base", "255 bytes between slashes"],
    ),
    "layout with a terminal sequence": ({"layout": {"after": "\x1b[2J"}}, [r"found '\x1b'"]),
    "Arabic digits": ({"arms": ["base-٥shot"]}, ["arms[0]: found 'base-٥shot'"]),
    "full-width digits": ({"arms": ["base-５shot"]}, ["arms[0]: found 'base-５shot'"]),
    "an arm's number with zeros": ({"arms": ["base-05shot"]}, ["arms[0]: found 'base-05shot'"]),
    "contrast of an arm with itself": (
        {"contrasts": [{"name": "c", "x": "base-5shot", "y": "base-5shot"}]},
        ["contrasts[0]: two arms, found 'base-5shot' twice"],
    ),
    "mixture with a slash": (
        {"tuning": {"mixtures": {"a/b": {"sources": [{"zoo": ["first"]}], "rows": 1}}}},
        ["tuning.mixtures.a/b", "pattern"],
    ),
    "base that is neither selected nor listed": (
        {"tuning": {"recipes": [{"name": "r", "bases": ["x"], "mixture": "m"}]}},
        ["tuning.recipes[0].bases[0]: found 'x'; expected a mapping"],
    ),
    "mixture that is no name": (
        {"tuning": {"recipes": [{"name": "r", "bases": [{"source": "zoo"}], "mixture": 5}]}},
        ["tuning.recipes[0].mixture: found 5; expected a text. Write it in quotes"],
    ),
    "modules of an adapter": (
        {"tuning": {"adapters": {"a": {"modules": [None]}}}},
        ["tuning.adapters.a.modules[0]: found None"],
    ),
    "negative limit": ({"limit": -5}, ["limit: found -5"]),
    "unknown number format": ({"dtype": "fp16"}, ["dtype: found 'fp16'", "'float16'?"]),
    "chance of one": ({"tasks": _listed(chance=1.0)}, ["tasks[0].chance: found 1.0"]),
    "unknown exposure": (
        {"tasks": _listed(exposure="seen")},
        ["tasks[0].exposure: found 'seen'", "Did you mean 'seen_task'?"],
    ),
    "misspelt suite key": ({"tasks": {"suit": "x"}}, ["tasks.suit", "Did you mean 'suite'?"]),
    "unknown layout": ({"layout": "zo"}, ["layout: found 'zo'", "Did you mean 'zoo'?"]),
    "two markers": (
        {
            "tuning": {
                "indicators": {
                    name: {"seed_model": "zoo:neox-late-l/tuned", "marker": f"<{name}>"}
                    for name in "ab"
                }
            }
        },
        ["tuning.indicators: one marker for all, found '<a>', '<b>'"],
    ),
}


@pytest.mark.parametrize("kind", INVALID)
def test_an_invalid_study_file(kind: str, make_run: MakeRun) -> None:
    changes, parts = INVALID[kind]
    folder = make_run(**changes)
    with pytest.raises(StudyError) as error:
        read_study(folder)
    for part in [str(folder / "study.yaml"), *parts]:
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_commands_exit_with_one_error_and_code_2(
    make_run: MakeRun, study_command: StudyCommand
) -> None:
    folder = make_run(armz=[])
    for command in ("plan", "run", "analyze"):
        result = study_command(command, folder)
        assert result.returncode == 2
        assert result.stderr.splitlines()[-1].startswith(f"error: {folder}/study.yaml: armz: found")
        assert result.stderr.count("error") == 1
        assert "Traceback" not in result.stderr
        assert result.stdout == ""
    assert sorted(path.name for path in folder.iterdir()) == ["study.yaml"]


NAMES = ["NA", "2.10", "007", "nan", "true", "null", "=1+1", "名前", "a b/c"]


def test_names_that_look_like_something_else_stay_texts(make_run: MakeRun) -> None:
    pairs = [pair for name in NAMES for pair in _pair(name=name, family=name)]
    study = read_study(make_run(pairs=pairs))
    assert [entry.name for entry in study.pairs if isinstance(entry, ListedPair)] == NAMES


def test_a_study_knows_its_folder(make_run: MakeRun) -> None:
    folder = make_run()
    study = read_study(folder)
    assert (study.folder, study.file) == (folder, folder / "study.yaml")
    error = study.error("arms[2]", found="'x'", expected="an arm")
    assert str(error) == f"{folder}/study.yaml: arms[2]: found 'x'; expected an arm"
    elsewhere = study.located(Path("elsewhere"))
    assert (elsewhere.folder, study.folder) == (Path("elsewhere"), folder)
    assert elsewhere.digest() == study.digest()


def test_draws_of_an_arm(make_run: MakeRun) -> None:
    arms = ["base-0shot", "base-5shot", {"name": "base-8shot", "draws": 7}, "tuned-0shot-chat"]
    study = read_study(make_run(arms=arms, draws=2))
    assert study.arm_names() == ["base-0shot", "base-5shot", "base-8shot", "tuned-0shot-chat"]
    assert [study.draws_of(arm) for arm in study.arm_names()] == [1, 2, 7, 1]


def test_the_digest_covers_what_decides_the_cells(make_run: MakeRun) -> None:
    def digest(name: str, **changes: Any) -> str:
        return read_study(make_run(name, **changes)).digest()

    plain = digest("plain")
    other_contrast = [{"name": "other", "x": "base-0shot", "y": "tuned-0shot-chat"}]
    assert digest("contrast", contrasts=other_contrast) == plain
    assert digest("analysis", analysis={"equivalence_bound": 0.2}) == plain
    assert digest("cluster", slurm=[{"hours": 1, "memory_gb": 4}]) == plain
    assert digest("seed", seed=1) != plain
    assert digest("limit", limit=13) != plain


def test_resources_of_an_executor(make_run: MakeRun) -> None:
    study = read_study(make_run(slurm=[{"hours": 1, "memory_gb": 4}]))
    assert study.resources("slurm") == [SlurmResources(hours=1, memory_gb=4)]
    assert study.resources("local") == []


def test_a_study_of_imported_scores_runs_nothing(make_run: MakeRun) -> None:
    assert read_study(make_run()).runs
    assert not read_study(make_run("imported", pairs=..., arms=..., tasks=...)).runs


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (("pairs",), "pairs: one at least"),
        (("arms",), "arms: one at least"),
        (("tasks",), "tasks: one at least"),
        (("pairs", "tasks"), "pairs: one at least"),
        (("pairs", "arms"), None),
        (("arms", "tasks"), None),
    ],
)
def test_sections_are_all_there_or_it_is_a_study_of_imported_scores(
    make_run: MakeRun, missing: tuple[str, ...], message: str | None
) -> None:
    folder = make_run(**dict.fromkeys(missing, ...))
    if message is None:
        assert not read_study(folder).runs
    else:
        with pytest.raises(StudyError, match=message):
            read_study(folder)


def test_contrasts_of_imported_scores_may_have_any_arms(make_run: MakeRun) -> None:
    contrasts = [{"name": "c", "x": "base-4shot", "y": "tuned-9shot"}]
    study = read_study(make_run(pairs=..., arms=..., tasks=..., contrasts=contrasts))
    assert study.contrasts[0].x == "base-4shot"


def test_options_of_an_arm_and_the_marker(make_run: MakeRun) -> None:
    arms = ["base-0shot", {"name": "base-5shot", "draws": 7}, "tuned-0shot-chat"]
    indicators = {"i": {"seed_model": "zoo:neox-late-l/tuned", "marker": "<c>"}}
    study = read_study(make_run(arms=arms, draws=2, tuning={"indicators": indicators}))
    assert study.arm_options("base-5shot").draws == 7
    assert study.arm_options("base-0shot").draws is None
    assert study.arm_options("tuned-0shot-chat").name == "tuned-0shot-chat"
    assert study.marker() == "<c>"


def test_a_layout_is_given_by_name_or_by_its_parts(make_run: MakeRun) -> None:
    assert read_study(make_run("zoo", layout="zoo")).layout == ZOO
    assert read_study(make_run("source", layout="source")).layout == SOURCE == Layout()
    assert read_study(make_run("own", layout={"blank": "-"})).layout == Layout(blank="-")


def test_a_folder_without_a_study_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="found no such folder; expected a run folder"):
        read_study(tmp_path / "nowhere")
    (tmp_path / "demo").mkdir()
    with pytest.raises(StudyError, match="Did you mean 'demo'"):
        read_study(tmp_path / "dem")
    with pytest.raises(StudyError, match=r"found no study\.yaml"):
        read_study(tmp_path / "demo")
    (tmp_path / "demo" / "study.yaml").mkdir()
    with pytest.raises(StudyError, match=r"found no study\.yaml"):
        read_study(tmp_path / "demo")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pairs", [{"source": "zoo", "pair": ["llama-early-xs"]}]),
        ("arms", ["base-0shot", "base-5shot", "tuned-0shot-chat", "tuned-0shot"]),
        ("tasks", {"suite": "zoo_mc"}),
        ("layout", "zoo"),
        ("answers", {"tokens": 9}),
        ("draws", 1),
        ("dtype", "float32"),
        ("date", dt.date(2025, 1, 1)),
        ("task_folders", ["more"]),
        ("trust_remote_code", True),
    ],
)
def test_every_key_that_decides_cells_is_in_the_digest(
    make_run: MakeRun, key: str, value: Any
) -> None:
    changed = read_study(make_run("changed", **{key: value})).digest()
    assert changed != read_study(make_run("plain")).digest()
