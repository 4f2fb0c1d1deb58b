"""Staging: what is fetched from a hub on this machine, what the lock holds, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from study.errors import StudyError
from study.models.folders.loading import load_model
from study.models.pairs import zoo
from study.planning.changes import changes
from study.planning.staging import needed_models, not_locked, stage
from study.results.run import Run
from study.running.doctor import examine
from tests.conftest import MakeRun
from tests.finished_runs import remove_cell
from tests.in_process import InProcessExecutor, evaluate, evaluate_all, plan
from tests.study.models.folders.conftest import change_json
from tests.study.planning.hub import Hub

PAIR = zoo()[0]
WEIGHTS = "zoo/base/model.safetensors"
LISTED = {"base": "zoo/base", "tuned": "zoo/tuned", "family": "f", "params_b": PAIR.params_b}


def _stage(folder: Path) -> list[str]:
    return stage(Run.open(folder), lambda message: None)


def _lock(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "study.lock.json").read_text())
    return content


def _problems(folder: Path) -> list[str]:
    """What `study doctor` reports."""
    planned = plan(folder)
    findings = examine(planned, InProcessExecutor(planned.resolved.run))
    return [f"{finding.check}: {finding.problem}" for finding in findings if finding.problem]


def test_models_are_fetched_once_locked_and_run_without_a_network(
    online: Hub, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(pairs=[LISTED], draws=1, limit=4)
    assert not_locked(Run.open(folder)) == [
        "zoo/base",
        "zoo/tuned",
        "zoo_colour_mc",
        "zoo_reverse_mc",
    ]
    assert _stage(folder) == []
    commit = online.commit("zoo/base")
    lock = _lock(folder)
    assert set(lock["models"]) == {"zoo/base", "zoo/tuned"}
    assert lock["models"]["zoo/base"]["revision"] == commit
    assert lock["tasks"]["zoo_colour_mc"]["n_items"] == 240
    files = {file.rpartition("/")[2] for file, _ in online.served}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= files
    assert not files & {"README.md", "consolidated.safetensors"}
    served = len(online.served)
    assert _stage(folder) == []
    assert len(online.served) == served
    assert _lock(folder) == lock
    assert not_locked(Run.open(folder)) == []

    # The hub's main branch moves on, and another study fetches it: this study keeps its commit.
    config = online.models["zoo/base"] / "config.json"
    config.write_text(config.read_text() + " ")
    assert _stage(make_run("other", pairs=[LISTED])) == []
    assert online.commit("zoo/base") != commit
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert _problems(folder) == []
    run = evaluate_all(folder)
    records = [run.cells.record(key) for key in run.cells.done()]
    assert {r["revision"] for r in records if r["model"] == "zoo/base"} == {commit}
    assert {r["lock"] for r in records} == {run.lock_digest}


def test_after_an_interruption_only_missing_files_are_fetched(
    online: Hub, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # huggingface_hub waits before retries
    folder = make_run(pairs=[LISTED])
    size = (online.models["zoo/base"] / "model.safetensors").stat().st_size
    online.cut_after = size // 3
    (base, tuned) = _stage(folder)
    assert base.startswith("model zoo/base: ")
    assert tuned.startswith("model zoo/tuned: ")
    assert set(_lock(folder)["tasks"]) == {"zoo_colour_mc", "zoo_reverse_mc"}
    online.cut_after = None
    served = len(online.served)
    assert _stage(folder) == []
    assert [entry for entry in online.served[served:] if entry[0] == WEIGHTS] == [(WEIGHTS, size)]
    assert "zoo/base/config.json" not in {file for file, _ in online.served[served:]}
    assert set(_lock(folder)["models"]) == {"zoo/base", "zoo/tuned"}


def test_a_file_with_other_content_than_announced_is_moved_aside_and_fetched_again(
    online: Hub, make_run: MakeRun, tmp_path: Path
) -> None:
    folder = make_run(pairs=[LISTED])
    assert _stage(folder) == []
    (weights,) = tmp_path.glob("cache/hub/models--zoo--base/snapshots/*/model.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.resolve().write_bytes(bytes(content))
    (failure,) = _stage(folder)
    assert "found another content than the hub announced" in failure
    (aside,) = tmp_path.glob("cache/hub/models--zoo--base/blobs/*.corrupted")
    assert str(aside) in failure
    assert aside.read_bytes() == bytes(content)
    assert _stage(folder) == []
    assert weights.read_bytes()[-1] == content[-1] ^ 1
    assert aside.read_bytes() == bytes(content)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_link_to_a_file_that_is_gone_is_named(
    online: Hub, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The cache was tidied by hand, and there is no network to fetch the file again."""
    pair = {**LISTED, "base": PAIR.base.path}
    assert _stage(make_run("before", pairs=[pair])) == []
    (link,) = Path(constants.HF_HUB_CACHE).glob(f"models--zoo--tuned/snapshots/*/{name}")
    link.resolve().unlink()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    (failure,) = _stage(make_run("after", pairs=[pair]))
    assert f"{name}: found something that is not a file" in failure


def test_models_that_do_not_exist_are_named_and_the_rest_is_staged(
    online: Hub, make_run: MakeRun
) -> None:
    tuned = online.models["zoo/tuned"]
    (tuned / "model.safetensors").rename(tuned / "pytorch_model.bin")
    folder = make_run(pairs=[LISTED, {**LISTED, "tuned": "nobody/nothing", "name": "absent"}])
    failures = _stage(folder)
    assert len(failures) == 2
    assert any("zoo/tuned: found no *.safetensors" in failure for failure in failures)
    assert any("nobody/nothing" in failure for failure in failures)
    assert set(_lock(folder)["models"]) == {"zoo/base"}


@pytest.fixture
def own_base(make_run: MakeRun, tmp_path: Path) -> tuple[Path, Path]:
    """A run of a pair whose base is a folder that can be changed; and that folder."""
    base = tmp_path / "mine" / "base"
    shutil.copytree(PAIR.base.path, base)
    pair = {**LISTED, "base": str(base), "tuned": PAIR.tuned.path}
    return make_run(pairs=[pair]), base


@pytest.mark.parametrize("siblings", [None, [], [{"rfilename": "model.gguf", "size": 1}]])
def test_a_repository_without_weights(
    online: Hub, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, siblings: list[Any] | None
) -> None:
    info = online.info
    changed = {"siblings": siblings}
    monkeypatch.setattr(online, "info", lambda name, sizes: info(name, sizes=sizes) | changed)
    (failure,) = _stage(make_run(pairs=[{**LISTED, "base": PAIR.base.path}]))
    assert "zoo/tuned: found no *.safetensors files on the hub" in failure


def test_weights_that_differ_from_the_lock_are_not_run(own_base: tuple[Path, Path]) -> None:
    """Not until they are staged again."""
    folder, base = own_base
    messages: list[str] = []
    report: Callable[[str], object] = messages.append
    assert _stage(folder) == []
    run = evaluate_all(folder)
    cells = run.cells
    keys = [key for key in cells.done() if cells.record(key)["model"] == "mine/base"]
    assert len(keys) == 6
    remove_cell(run, keys[0])
    finished = len(cells.done())
    weights = bytearray((base / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (base / "model.safetensors").write_bytes(bytes(weights))

    (failure,) = [event for event in evaluate(folder) if event.kind == "failed"]
    assert "found weights other than when the study was staged" in failure.reason
    assert len(cells.done()) == finished
    assert len(_problems(folder)) == 1

    assert stage(Run.open(folder), report) == []
    assert "mine/base: files differ from the lock; locking what is there now" in messages
    (change,) = changes(plan(folder))
    assert "5 finished cells no longer fit the study and are recomputed" in change
    assert "the weights of mine/base (5 cells)" in change
    evaluate_all(folder)
    assert len(cells.done()) == finished + 6
    os.utime(base / "model.safetensors")  # touched, not changed
    assert _problems(folder) == []


def test_a_corrupted_lock_is_one_error(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "study.lock.json").write_text("{")
    with pytest.raises(
        StudyError,
        match=r"study\.lock\.json: found no lock .no JSON.; expected what `study stage` wrote",
    ):
        plan(folder)


def test_models_needed_by_recipes_and_indicators(make_run: MakeRun) -> None:
    tuning = {
        "indicators": {"i": {"seed_model": "zoo:neox-late-l/tuned"}},
        "mixtures": {"m": {"sources": [{"zoo": ["reverse"]}], "rows": 100}},
        "optimisers": {"o": {"learning_rate": 1e-3, "batch": 8}},
        "recipes": [
            {
                "name": "r",
                "bases": [{"source": "zoo", "pair": ["neox-late-xs"]}],
                "mixture": "m",
                "optimiser": "o",
                "indicator": ["i"],
            }
        ],
    }
    study = Run.open(make_run(pairs=..., tuning=tuning)).study
    assert [model.name for model in needed_models(study)] == [
        "neox-late-xs/base",
        "neox-late-l/tuned",
    ]


@pytest.fixture
def pickled(online: Hub) -> Hub:
    """The hub, on which the tuned model has pickled weights and code of its own."""
    tuned = online.models["zoo/tuned"]
    (tuned / "model.safetensors").rename(tuned / "pytorch_model.bin")
    (tuned / "modeling_zoo.py").write_text("VALUE = 1\n")
    (tuned / "pytorch_model.bin.index.json").write_text("{}")
    return online


def served(hub: Hub) -> set[str]:
    return {file for file, _ in hub.served if file.startswith("zoo/tuned")}


@pytest.mark.parametrize(("allowed", "trusted"), [(True, False), (False, True), (True, True)])
def test_pickled_weights_and_code_are_fetched_only_if_the_study_allows_them(
    pickled: Hub, make_run: MakeRun, allowed: bool, trusted: bool
) -> None:
    folder = make_run(
        pairs=[LISTED], allow_pickled_weights=allowed, trust_remote_code=trusted, limit=4
    )
    failures = _stage(folder)
    files = {file.rpartition("/")[2] for file in served(pickled)}
    assert ("pytorch_model.bin" in files) == allowed
    assert ("modeling_zoo.py" in files) == (allowed and trusted)
    assert ("pytorch_model.bin.index.json" in files) == allowed
    if allowed:
        assert failures == []
    else:
        assert "zoo/tuned: found no *.safetensors files on the hub" in failures[0]
        assert files == set()


def test_a_model_that_does_not_fit_on_the_disk_is_not_fetched(
    online: Hub, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    failures = _stage(make_run(pairs=[LISTED]))
    assert len(failures) == 2
    assert "found 0.0 GB free; expected space for 0.0 GB of zoo/base" in failures[0]
    assert not [file for file, _ in online.served if file == WEIGHTS]


def test_what_is_fetched_already_needs_no_space(
    online: Hub, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(pairs=[LISTED])
    assert _stage(folder) == []
    config = online.models["zoo/base"] / "config.json"
    config.write_text(config.read_text() + " ")
    size = config.stat().st_size
    free = shutil.disk_usage("/")._replace(free=size)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    assert _stage(make_run("other", pairs=[LISTED])) == []


def test_what_a_study_no_longer_names_leaves_its_lock(make_run: MakeRun) -> None:
    messages: list[str] = []
    folder = make_run()
    assert stage(Run.open(folder), messages.append) == []
    assert messages[:2] == ["reading lm-eval's task list", "task 1 of 2: zoo_colour_mc"]
    run = Run.open(folder)
    assert messages[-1] == (f"locked 6 models and 2 tasks, digest {(run.lock_digest or '')[:12]}")
    smaller = make_run(
        "smaller",
        pairs=[{"source": "zoo", "pair": ["llama-early-xs"]}],
        tasks={"suite": "zoo_mc", "only": ["zoo_reverse_mc"]},
    )
    shutil.copy(folder / "study.lock.json", smaller)
    assert _stage(smaller) == []
    lock = Run.open(smaller).lock
    assert set(lock.models) == {"llama-early-xs/base", "llama-early-xs/tuned"}
    assert set(lock.tasks) == {"zoo_reverse_mc"}
    assert lock.tasks["zoo_reverse_mc"] == run.lock.tasks["zoo_reverse_mc"]


def test_an_adapter_is_fetched_with_its_base(
    online: Hub, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from peft import LoraConfig, get_peft_model

    adapter = tmp_path / "hub" / "adapter"
    config = LoraConfig(r=2, target_modules=["up_proj"], init_lora_weights=False)
    get_peft_model(load_model(Path(PAIR.base.path)), config).save_pretrained(adapter)
    (adapter / "README.md").unlink(missing_ok=True)
    change_json(adapter / "adapter_config.json", base_model_name_or_path="zoo/base")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(Path(PAIR.tuned.path) / name, adapter / name)
    online.models["zoo/adapter"] = online.folders["zoo/adapter"] = adapter
    pair = {**LISTED, "base": "zoo/tuned", "tuned": "zoo/adapter"}
    folder = make_run(pairs=[pair], draws=1, limit=2)
    assert _stage(folder) == []
    files = _lock(folder)["models"]["zoo/adapter"]["files"]
    assert {"adapter_model.safetensors", "base/config.json", "base/model.safetensors"} <= set(files)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert len(evaluate_all(folder).cells.done()) > 0


def test_a_model_beside_an_adapter_is_refused_before_a_base_is_fetched(
    online: Hub, make_run: MakeRun
) -> None:
    tuned = online.models["zoo/tuned"]
    (tuned / "adapter_config.json").write_text('{"base_model_name_or_path": "zoo/base"}')
    (failure,) = _stage(make_run(pairs=[{**LISTED, "base": PAIR.base.path}]))
    assert "a config.json beside an adapter_config.json" in failure
    assert {file.rpartition("/")[0] for file, _ in online.served} == {"zoo/tuned"}


def test_a_lock_of_the_first_version_is_upgraded(online: Hub, make_run: MakeRun) -> None:
    folder = make_run(pairs=[LISTED])
    assert _stage(folder) == []
    lock = _lock(folder)
    first = {name: lock[name] for name in ("models", "tasks")}
    for model in first["models"].values():
        del model["generation"]
    (folder / "study.lock.json").write_text(json.dumps(first))
    with pytest.raises(StudyError, match=r"a lock of an earlier version.*study stage"):
        plan(folder)
    config = online.models["zoo/base"] / "config.json"
    config.write_text(config.read_text() + " ")  # the hub's main branch moves on
    assert _stage(folder) == []
    assert _lock(folder)["models"]["zoo/base"]["revision"] == lock["models"]["zoo/base"]["revision"]
    assert _problems(folder) == []
