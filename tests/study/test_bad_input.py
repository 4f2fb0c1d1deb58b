"""Every kind of bad study file and damaged results folder has its one clear error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.pipeline import analyze_run
from study.config.study import read_study
from study.errors import StudyError
from study.models.pairs import study_pairs
from study.planning.plan_study import planned
from study.results.cell_store.store import Cells
from study.tasks.suites import study_tasks
from tests.conftest import Study

MakeRun = Callable[..., Path]


def _listed(**changes: Any) -> list[dict[str, Any]]:
    task = {"task": "zoo_colour_mc", "task_type": "a", "metric": "acc", "chance": 0.25}
    return [{**task, **changes}]


def _pair(**changes: Any) -> list[dict[str, Any]]:
    pair = {"base": "a/b", "tuned": "a/c", "family": "a", "params_b": 1.0}
    return [{k: v for k, v in {**pair, **changes}.items() if v is not ...}]


# (what is changed, words that the message must hold: the key, what was found, what is allowed)
BAD_FILES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown key": ({"armz": []}, ["armz: found an unknown key", "Did you mean 'arms'?"]),
    "no name": ({"name": ...}, ["name: found nothing", "required"]),
    "name with a space": ({"name": "a b"}, ["name: found 'a b'", "pattern"]),
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
    "arm that is a number": ({"arms": [5]}, ["arms[0]: found 5", "a valid string"]),
    "draws of an arm": (
        {"arms": [{"name": "base-5shot", "draws": 0}]},
        ["arms[0].draws: found 0", "greater than or equal to 1"],
    ),
    "contrast of an arm not asked": (
        {"contrasts": [{"name": "c", "x": "base-4shot", "y": "tuned-0shot-chat"}]},
        ["contrasts[0].x", "found 'base-4shot'", "Did you mean 'base-5shot'?"],
    ),
    "contrast without y": (
        {"contrasts": [{"name": "c", "x": "base-5shot"}]},
        ["contrasts[0].y: found nothing"],
    ),
    "contrasts of one name": (
        {"contrasts": [{"name": "c", "x": "base-5shot", "y": "tuned-0shot-chat"}] * 2},
        ["each contrast with a name of its own"],
    ),
    "no draws": ({"draws": 0}, ["draws: found 0", "greater than or equal to 1"]),
    "draws in words": ({"draws": "three"}, ["draws: found 'three'", "integer"]),
    "negative limit": ({"limit": -5}, ["limit: found -5"]),
    "unknown number format": ({"dtype": "fp16"}, ["dtype: found 'fp16'", "'float16'?"]),
    "chance of one": ({"tasks": _listed(chance=1.0)}, ["tasks[0].chance: found 1.0"]),
    "unknown exposure": (
        {"tasks": _listed(exposure="seen")},
        ["tasks[0].exposure: found 'seen'", "Did you mean 'seen_task'?"],
    ),
    "misspelt suite key": ({"tasks": {"suit": "x"}}, ["tasks.suit", "Did you mean 'suite'?"]),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_bad_study_file(kind: str, make_run: MakeRun) -> None:
    changes, words = BAD_FILES[kind]
    run = make_run(**changes)
    with pytest.raises(StudyError) as error:
        read_study(run)
    for word in [str(run / "study.yaml"), *words]:
        assert word in str(error.value)
    assert "\n" not in str(error.value)


# Faults that show when the names in the file are looked up.
UNRESOLVED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown suite": ({"tasks": {"suite": "zoo_mcc"}}, ["tasks.suite", "Did you mean 'zoo_mc'?"]),
    "unknown task of a suite": (
        {"tasks": {"suite": "zoo_mc", "only": ["zoo_color_mc"]}},
        ["tasks.only", "Did you mean 'zoo_colour_mc'?"],
    ),
    "unknown type of a suite": (
        {"tasks": {"suite": "zoo_mc", "task_type": ["string"]}},
        ["tasks.task_type", "Did you mean 'strings'?"],
    ),
    "task twice": ({"tasks": _listed() * 2}, ["'zoo_colour_mc' more than once"]),
    "unknown family": (
        {"pairs": [{"source": "registry", "family": ["qwen2.6"]}]},
        ["pairs[0].family", "Did you mean 'qwen2.5'?"],
    ),
    "selection that fits nothing": (
        {"pairs": [{"source": "registry", "min_params_b": 9000}]},
        ["pairs[0]: found a selection that fits no pair"],
    ),
    "pair twice": ({"pairs": _pair() * 2}, ["'a/c' more than once", "another `name`"]),
}


@pytest.mark.parametrize("kind", UNRESOLVED)
def test_names_that_do_not_resolve(kind: str, make_run: MakeRun) -> None:
    changes, words = UNRESOLVED[kind]
    run = make_run(**changes)
    study = read_study(run)
    look_up = study_tasks if "tasks" in changes else study_pairs
    with pytest.raises(StudyError) as error:
        look_up(study, run)
    for word in words:
        assert word in str(error.value)


def test_files_that_are_no_study(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run()
    faults = {
        "name: [": "not YAML",
        "": "found nothing",
        "- a\n- b\n": "found a list",
        "name: !!python/object/apply:os.system [ls]": "not YAML",
    }
    for text, words in faults.items():
        (run / "study.yaml").write_text(text)
        with pytest.raises(StudyError, match=words):
            read_study(run)
    (run / "study.yaml").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(StudyError, match="UTF-8"):
        read_study(run)
    (run / "study.yaml").unlink()
    with pytest.raises(StudyError, match=r"no study\.yaml"):
        read_study(run)
    with pytest.raises(StudyError, match=r"no such folder.*Did you mean 'run'"):
        read_study(tmp_path / "runn")


def test_metric_that_the_task_has_not(make_run: MakeRun) -> None:
    run = make_run(tasks=_listed(metric="accuracy"))
    with pytest.raises(
        StudyError, match=r"zoo_colour_mc: metric: found 'accuracy'; expected.* acc"
    ):
        planned(run)


def test_passage_that_the_documents_have_not(make_run: MakeRun) -> None:
    run = make_run(tasks=_listed(passage="golden"))
    with pytest.raises(
        StudyError, match=r"zoo_colour_mc: passage: found 'golden'; expected.*'gold'.*mean 'gold'"
    ):
        planned(run)


def test_task_folder_that_is_not_there(make_run: MakeRun) -> None:
    with pytest.raises(StudyError, match=r"task_folders\[0\]: found 'nowhere'"):
        planned(make_run(task_folders=["nowhere"]))


def test_command_line_ends_with_one_error_and_exit_code_2(
    make_run: MakeRun, study_command: Study
) -> None:
    run = make_run(armz=[])
    for command in ("plan", "run", "analyze"):
        done = study_command(command, run)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith(f"error: {run}/study.yaml: armz: found")
        assert done.stderr.count("error") == 1
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
    assert sorted(path.name for path in run.iterdir()) == ["study.yaml"]


class TestDamagedResults:
    """A finished run, damaged in one way after another."""

    @pytest.fixture
    def finished(self, make_run: MakeRun, study_command: Study) -> Path:
        run = make_run(limit=2, draws=1, arms=["base-5shot", "tuned-0shot-chat"])
        done = study_command("run", run, "--device", "cpu")
        assert done.returncode == 0, done.stderr
        return run

    def test_each_kind_of_damage(self, finished: Path, make_run: MakeRun) -> None:
        cells = finished / "results" / "cells"
        key = sorted(Cells(finished).done())[0]
        plan = finished / "results" / "plan.json"

        def damage(path: Path, content: bytes | None, words: str) -> None:
            before = path.read_bytes()
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content)
            with pytest.raises(StudyError, match=words):
                analyze_run(finished)
            path.write_bytes(before)

        of = Cells(finished).files(key)
        items = of["parquet"].read_bytes()
        flipped = bytes([items[0] ^ 1]) + items[1:]
        damage(of["parquet"], items[:-7], r"\.parquet: found .* another digest")
        damage(of["parquet"], flipped, r"\.parquet: found .* another digest")
        damage(of["parquet"], None, r"\.parquet: found no such file")
        damage(of["json"], b"{}", r"\.json: found 2 bytes with another digest")
        damage(of["json"], None, r"\.json: found no such file")
        damage(cells / f"{key}.done", b"", f"{key}.done: found no digests")
        damage(plan, b"{", "plan.json: found not JSON")
        damage(plan, json.dumps({"version": 99}).encode(), "plan.json: version: found 99")
        damage(plan, None, "found no results")
        assert analyze_run(finished), "undamaged again"

        study = finished / "study.yaml"
        changed = study.read_text().replace("limit: 2", "limit: 3").encode()
        damage(study, changed, "a study that has changed since it was last run")
        with pytest.raises(StudyError, match="found no results"):
            analyze_run(make_run("never-run"))

    def test_results_folder_that_cannot_be_written(
        self, finished: Path, study_command: Study
    ) -> None:
        (finished / "tables").write_text("a file where a folder is wanted")
        done = study_command("analyze", finished)
        assert done.returncode == 2
        assert "tables" in done.stderr.splitlines()[-1]
        assert "expected a folder that can be written to" in done.stderr
        assert "Traceback" not in done.stderr
