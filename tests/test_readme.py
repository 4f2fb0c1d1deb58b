"""Every command of the README is executed; the notebook runs and is kept without outputs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, SMALL, command_environment
from tests.studies import check_notebook, check_tables

README = (ROOT / "README.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture(scope="module")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the project's root, in which `runs/demo` is small."""
    root = tmp_path_factory.mktemp("root")
    (root / "runs" / "demo").mkdir(parents=True)
    study = yaml.safe_load((ROOT / "runs" / "demo" / "study.yaml").read_text())
    small = {**study, **{key: SMALL[key] for key in ("pairs", "tasks", "limit")}}
    (root / "runs" / "demo" / "study.yaml").write_text(yaml.safe_dump(small))
    shutil.copytree(ROOT / "runs" / "loss-small", root / "runs" / "loss-small",
                    ignore=shutil.ignore_patterns("results", "tables", "figures"))  # fmt: skip
    for name in ("runs/paper", "study", "Makefile", "pyproject.toml", "constraints.txt"):
        (root / name).symlink_to(ROOT / name)
    return root


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 8
    assert COMMANDS[:2] == ["make demo", "make test"]


@pytest.mark.parametrize("command", COMMANDS)
def test_command(
    command: str, small_demo: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """As written; the two `make` targets are run whole by `.ci/run`, and here only unfolded."""
    words = shlex.split(command)
    if words[0] == "make":
        words.insert(1, "--dry-run")
    environment = command_environment(tmp_path / "network-attempts")
    if "slurm" in words:
        environment = request.getfixturevalue("cluster").environment() | environment
    done = subprocess.run(words, cwd=small_demo, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout or done.stderr
    assert not (tmp_path / "network-attempts").exists()


PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("code", PYTHON, ids=["scoring", "analysis"])
def test_python_example(code: str, small_demo: Path) -> None:
    done = subprocess.run(["python", "-c", code], cwd=small_demo, capture_output=True, text=True,
                          env=command_environment(small_demo / "attempts"))  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_example_study_file_is_valid(tmp_path: Path) -> None:
    from study.config.study import read_study
    from study.models.pairs import study_pairs
    from study.tasks.suites import study_tasks

    parts = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    (tmp_path / "study.yaml").write_text("\n".join(map(textwrap.dedent, parts)))
    study = read_study(tmp_path)
    assert study.slurm[0].setup == ["module load cuda"]
    assert study.analysis.beside == ["bca", "fisher"]
    assert len(study_pairs(study, tmp_path)) > 5
    assert len(study_tasks(study, tmp_path)) > 10


OF_THE_DEMO = ("01_demo", "02_published_scores", "03_statistics")


@pytest.mark.parametrize("name", OF_THE_DEMO)
def test_notebook(name: str, small_demo: Path) -> None:
    copied = small_demo / "executed"
    copied.mkdir(exist_ok=True)
    for file in (ROOT / "notebooks").iterdir():
        shutil.copy(file, copied)
    os.environ["PYTHONPATH"] = str(ROOT)
    check_notebook(copied / f"{name}.ipynb", copied)


def test_the_small_study_of_losses_as_the_commands_left_it(small_demo: Path) -> None:
    check_tables("loss", small_demo / "runs" / "loss-small")
    (small_demo / "runs" / "loss").symlink_to("loss-small")
    copied = small_demo / "executed"
    check_notebook(copied / "05_loss.ipynb", copied)
