"""The inputs that never run code, as docs/security.md lists them, with code in each of them.

What belongs to one module is tested there: templates (tests/study/tasks/prompt_forms), jobs of a
cluster (tests/study/running/executors/slurm), text on the terminal (tests/study/cli).
"""

from __future__ import annotations

import ast
import io
import json
import pickle
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from study.config.scorers import Answers
from study.models.pairs import zoo
from study.results.run import Run
from study.running.executors.slurm.submissions import new_submission
from study.running.job_states import record
from study.scorers import SCORERS
from study.zoo import MODELS
from tests.conftest import ROOT, MakeRun
from tests.finished_runs import copy_run, finished_run
from tests.in_process import evaluate
from tests.study.commands import call
from tests.study.exchange.score_files import write_imported_study
from tests.study.running.executors.slurm.descriptions import described, job_of

ONE_TASK = {"tasks": {"suite": "zoo_mc", "only": ["zoo_colour_mc"]}}
MODEL = MODELS / "llama-early-xs" / "tuned"


TEMPLATE = "{{ cycler.__init__.__globals__.os.system('touch MARKER') }}"


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return (Path.touch, (self.marker,))


def code(marker: Path) -> str:
    return f"__import__('pathlib').Path({str(marker)!r}).touch()"


def hostile_contents(marker: Path) -> dict[str, bytes]:
    """Code in the forms in which careless readers run it."""
    return {
        "pickle": pickle.dumps(Touch(marker)),
        "python": f"{code(marker)}\n".encode(),
        "yaml tag": f"!!python/object/apply:os.system ['touch {marker}']\n".encode(),
        "json class": json.dumps(
            {"__class__": "pathlib.Path", "__reduce__": code(marker)}
        ).encode(),
        "template": TEMPLATE.replace("MARKER", str(marker)).encode(),
        "shell": f"$(touch {marker}) `touch {marker}`; touch {marker}\n".encode(),
    }


def test_the_codes_run_where_they_may(tmp_path: Path) -> None:
    """Otherwise the tests below would show nothing."""
    for name, run in (("pickle", pickle.loads), ("python", exec), ("yaml tag", yaml.unsafe_load)):
        marker = tmp_path / name.replace(" ", "-")
        run(hostile_contents(marker)[name])  # type: ignore[operator]
        assert marker.exists(), name


def run_files(folder: Path) -> Iterator[Path]:
    """A file of each kind in a run folder, the study file and those of results."""
    seen = set()
    for path in sorted(folder.rglob("*")):
        kind = (path.parent.relative_to(folder), path.suffix)
        if path.is_file() and kind not in seen and path.suffix not in (".pdf", ".png", ".log"):
            seen.add(kind)
            yield path


def test_files_of_a_run(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    """Study, lock, ledger, job states, submissions: read by commands, whatever is in them."""
    folder = copy_run(finished_run(tmp_path_factory, "small"), tmp_path)
    assert call("stage", folder).returncode == 0
    record(folder / "results", "llama-early-xs/base", "failed", ("no",))
    new_submission(folder / "results", "s", [described(job_of("llama-early-xs/base"))])
    files = list(run_files(folder))
    names = {path.name for path in files}
    assert {"study.yaml", "study.lock.json", "plan.json"} <= names
    marker = tmp_path / "marker"
    contents = hostile_contents(marker)
    for path in files:
        command = "doctor" if path.name == "study.lock.json" else "status"
        before = path.read_bytes()
        for name in ("pickle", "yaml tag", "python"):
            path.write_bytes(contents[name])
            result = call(command, folder)
            assert result.returncode in (0, 2), (name, path, result.stderr)
            assert "Traceback" not in result.stderr
            assert not marker.exists(), (name, path)
        path.write_bytes(before)


def test_cells(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    """Every file of finished cells and responses, read as the analysis reads them."""
    source = copy_run(finished_run(tmp_path_factory, "small"), tmp_path)
    marker = tmp_path / "marker"
    run = Run.open(source)
    for name, content in hostile_contents(marker).items():
        for folder in (path for path in run.results.iterdir() if path.is_dir()):
            for path in sorted(folder.rglob("*"))[:6]:
                if path.is_file():
                    path.write_bytes(content)
        for store in (run.cells, run.responses):
            assert list(store.corrupted()) or not store.done()
        assert not marker.exists(), name


def test_imported_results(tmp_path: Path) -> None:
    folder, marker = write_imported_study(tmp_path / "run"), tmp_path / "marker"
    for name, content in hostile_contents(marker).items():
        for file in ("scores.csv", "results_2026-01-01.json", "samples_t_2026-01-01.jsonl"):
            path = tmp_path / "imported" / file
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            result = call("import", folder, path)
            assert result.returncode == 2, (name, file, result.stdout)
            assert "Traceback" not in result.stderr
            path.unlink()
    assert not marker.exists()
    assert not (folder / "results").exists()


def change_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def tokenizer_with_code(folder: Path, marker: Path) -> None:
    (folder / "code.py").write_text(
        f"{code(marker)}\nfrom transformers import PreTrainedTokenizerFast as Tokenizer\n"
    )
    change_json(
        folder / "tokenizer_config.json",
        tokenizer_class="Tokenizer",
        auto_map={"AutoTokenizer": ["code.Tokenizer", "code.Tokenizer"]},
    )


def model_with_code(folder: Path, marker: Path) -> None:
    (folder / "code.py").write_text(
        f"{code(marker)}\nfrom transformers import LlamaConfig as Config\n"
        "from transformers import LlamaForCausalLM as Model\n"
    )
    change_json(
        folder / "config.json",
        model_type="own",
        auto_map={"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"},
    )


def pickled_weights(folder: Path, marker: Path) -> None:
    for path in folder.glob("*.safetensors"):
        path.unlink()
    (folder / "pytorch_model.bin").write_bytes(hostile_contents(marker)["pickle"])


def template_with_code(folder: Path, marker: Path) -> None:
    template = hostile_contents(marker)["template"].decode()
    (folder / "chat_template.jinja").write_text(template)
    change_json(folder / "tokenizer_config.json", chat_template=template)


def code_beside_the_model(folder: Path, marker: Path) -> None:
    for name in ("modeling_llama.py", "tokenization_llama.py", "__init__.py", "sitecustomize.py"):
        (folder / name).write_text(code(marker))


@pytest.mark.parametrize(
    "damage",
    [
        tokenizer_with_code,
        model_with_code,
        pickled_weights,
        template_with_code,
        code_beside_the_model,
    ],
    ids=lambda damage: damage.__name__,
)
def test_model_folders(
    damage: Any, make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither planned nor run, whatever is answered to a question on the terminal."""
    marker, folder = tmp_path / "marker", tmp_path / "hostile"
    shutil.copytree(MODEL, folder)
    damage(folder, marker)
    (size,) = (pair.params_b for pair in zoo() if pair.tuned.path == str(MODEL))
    base = str(MODEL.with_name("base"))
    pair = {"name": "p", "family": "f", "base": base, "tuned": str(folder), "params_b": size}
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 100))
    run = make_run(pairs=[pair], draws=1, limit=2, **ONE_TASK)
    failures = [event.model for event in evaluate(run) if event.kind == "failed"]
    assert not marker.exists()
    expected = set() if damage is code_beside_the_model else {folder.parent.name + "/hostile"}
    assert set(failures) == expected


def test_responses(tmp_path: Path) -> None:
    """A response is text to every scorer."""
    marker = tmp_path / "marker"
    for content in hostile_contents(marker).values():
        text = content.decode("latin-1")
        for scorer in SCORERS:
            answers = Answers.model_validate({"choose": scorer.name})
            for answer, gold in ((text, "b"), ("b", text), (text, text)):
                assert 0 <= scorer.score(answer, gold, ["b", text], answers) <= 1
    assert not marker.exists()


RUNS_DATA = {
    "eval",
    "exec",
    "compile",
    "pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "os.system",
    "os.popen",
    "torch.load",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "pd.read_pickle",
}
"What runs what it reads."


def test_nothing_that_runs_data_is_called() -> None:
    """Task files of the zoo apart, which are code."""
    for package in ("study", "analysis"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = set()
                if isinstance(node, ast.Call):
                    names = {ast.unparse(node.func)}
                    shell = [
                        word for word in node.keywords if word.arg in ("shell", "allow_pickle")
                    ]
                    assert not shell, (path, node.lineno)
                if isinstance(node, ast.Import):
                    names = {alias.name for alias in node.names}
                if isinstance(node, ast.ImportFrom):
                    names = {str(node.module)}
                assert not names & RUNS_DATA, (path, node.lineno)
