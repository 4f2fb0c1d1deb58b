"""Every command and every block of code in the documentation is executed, in the order of the
pages, in a small project with a finished run; pages name every key, column and file there is."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml

from study.config.study import read_study
from tests import pages
from tests.conftest import ROOT, command_environment
from tests.finished_runs import NAMES, copy_run, finished_run, invoke

EXAMPLES = "CONTRIBUTING.md"
"Its blocks are executed by test_contributing.py."
STEPS = [line for block in pages.all_blocks("bash") for line in block.text.splitlines()]
COMMANDS = list(dict.fromkeys(STEPS))
OWN_PROCESS = {"cancel"}
"Commands of `study` that must not be run in the process of the tests."
LINKED = ("runs/paper", "study", "analysis", "Makefile", "constraints.txt", "pyproject.toml")
"What a small project has in common with the repository."
ANALYSES = {f"study analyze runs/{name}" for name in NAMES}
"Commands that `finished_run` has just run."


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the project's root, with two small finished runs."""
    root = tmp_path_factory.mktemp("project")
    for name in ("demo", "loss-small"):
        copy_run(finished_run(tmp_path_factory, name), root / "runs")
    for name in LINKED:
        (root / name).symlink_to(ROOT / name)
    (root / "runs" / "published").mkdir()
    (imported,) = pages.blocks("yaml", "docs/exchange.md")
    (root / "runs" / "published" / "study.yaml").write_text(imported.text)
    return root


def test_the_readme_is_short_and_names_the_two_commands_first() -> None:
    assert len(pages.page_text("README.md").splitlines()) <= 150
    assert COMMANDS[:2] == ["make demo", "make test"]
    assert len(COMMANDS) >= 20


DEMO = ROOT / "runs" / "demo" / "tables"


@pytest.mark.skipif(not (DEMO / "correlations.csv").exists(), reason="no tables of `make demo`")
def test_the_readme_shows_what_the_demo_prints() -> None:
    from analysis.report import correlations_text, robustness_text

    def table(name: str) -> pd.DataFrame:
        frame = pd.read_csv(DEMO / f"{name}.csv")
        texts = frame.select_dtypes(["object", "string"]).columns
        return frame.fillna(dict.fromkeys(texts, ""))

    text = correlations_text(table("correlations")) + robustness_text(table("robustness"))
    (block,) = pages.blocks("text", "README.md")
    for line in block.text.splitlines():
        assert line == "…" or line in text.splitlines(), line


def test_there_is_one_page_for_each_subject() -> None:
    listed = {name for name in pages.NAMES if name.startswith("docs/") and name.count("/") == 1}
    assert listed == {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    index = set(pages.links("docs/index.md"))
    assert {Path(name).name for name in listed} - {"index.md"} <= index


@pytest.mark.parametrize("name", pages.NAMES)
def test_links_lead_somewhere(name: str) -> None:
    for link in pages.links(name):
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        if anchor:
            assert anchor in pages.anchors(str(target.resolve().relative_to(ROOT))), link


def test_the_table_of_tasks_names_commands_that_are_executed() -> None:
    table = pages.sections("README.md")["I want to …"]
    commands = re.findall(r"^\|[^|]*\| `([^`]+)` \|", table, flags=re.M)
    assert len(commands) >= 8
    assert set(commands) <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_command(
    command: str,
    project: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each as it stands. `make` only prints what it would do: `.ci/run` executes its targets."""
    words = shlex.split(command)
    monkeypatch.chdir(project)
    if words[:2] == ["pip", "install"]:
        _check_extras(words[2])
    elif command in ANALYSES:
        assert (project / words[2] / "tables" / "correlations.csv").is_file()
    elif words[0] == "make" or "slurm" in words or words[1] in OWN_PROCESS:
        _run_process(words, tmp_path, request)
    else:
        _run_here(words, monkeypatch)


def _check_extras(requirement: str) -> None:
    """The requirement is this project with extras that it has."""
    match = re.fullmatch(r"\.(?:\[(\w+)\])?", requirement)
    assert match is not None
    extras = tomllib.loads(Path("pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert match[1] is None or match[1] in extras


def _run_process(words: list[str], tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if words[0] == "make":
        words.insert(1, "--dry-run")
    environment = command_environment(tmp_path / "network-attempts")
    if "slurm" in words:
        environment = request.getfixturevalue("cluster").environment() | environment
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout or done.stderr
    assert not (tmp_path / "network-attempts").exists()


def _run_here(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command in this process: what it needs is imported once for all commands."""
    if words[0] == "lm_eval":
        from lm_eval.__main__ import cli_evaluate

        monkeypatch.setattr(sys, "argv", words)
        cli_evaluate()
        return
    assert words[0] == "study"
    invoke(*words[1:])


@pytest.mark.parametrize("block", pages.all_blocks("python", without=(EXAMPLES,)), ids=str)
def test_python_block(block: pages.Block, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    exec(compile(block.text, str(block), "exec"), {"__name__": "__main__"})


WHOLE = {
    "name": "example",
    "pairs": [{"source": "zoo"}],
    "arms": ["base-0shot", "base-5shot", "tuned-0shot-chat"],
    "tasks": {"suite": "zoo_mc"},
    "contrasts": [{"name": "in-context", "x": "base-5shot", "y": "tuned-0shot-chat"}],
}


@pytest.mark.parametrize("block", pages.all_blocks("yaml", without=(EXAMPLES,)), ids=str)
def test_yaml_block(block: pages.Block, tmp_path: Path) -> None:
    """A whole study file, or a part of one: valid, and the names in it are known."""
    from study.models.pairs import study_pairs
    from study.scorers import study_scorer
    from study.tasks.prompt_forms import check_arms
    from study.tasks.suites import study_tasks

    part = yaml.safe_load(block.text)
    whole = part if {"name", "contrasts"} <= part.keys() else {**WHOLE, **part}
    if "arms" in part and "contrasts" not in part:
        whole["contrasts"] = [{"name": "any", "x": "base-0shot", "y": "tuned-0shot-chat"}]
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(whole))
    study = read_study(tmp_path)
    study_scorer(study)
    check_arms(study)
    if study.pairs:
        assert len(study_pairs(study)) >= 1
    if study.tasks:
        assert len(study_tasks(study)) >= 1


TABLES = "docs/reading-the-tables.md"
VALUES = {
    "correlations": ("estimand", "coefficient", "corrected"),
    "agreement": ("quantity",),
    "exposures": ("quantity",),
    "recipe_gains": ("scale",),
}
"Columns whose every value is explained on the page."


def kept_and_computed(project: Path) -> Iterator[Path]:
    yield from (ROOT / "docs" / "results").glob("*/*.csv*")
    for name in ("demo", "loss-small"):
        yield from (project / "runs" / name / "tables").glob("*.csv")


def test_every_table_and_column_is_explained(project: Path) -> None:
    page = pages.sections(TABLES)
    names = set()
    for path in kept_and_computed(project):
        name = path.name.partition(".")[0]
        names.add(name)
        section = page[f"tables/{name}.csv"]
        table = pd.read_csv(path)
        for column in table.columns:
            assert f"`{column}`" in section, (name, column)
        for column in VALUES.get(name, ()):
            for value in table[column].dropna().unique():
                assert f"`{value}`" in section, (name, column, value)
    explained = {title.removeprefix("tables/").removesuffix(".csv") for title in page
                 if title.startswith("tables/")}  # fmt: skip
    assert explained == names


def test_every_figure_is_explained(project: Path) -> None:
    section = pages.sections(TABLES)["figures/"]
    for name in ("demo", "loss-small"):
        for path in (project / "runs" / name / "figures").glob("*.pdf"):
            stem = "scatter_<contrast>" if path.stem.startswith("scatter_") else path.stem
            assert f"`{stem}`" in section, path.stem


def test_citation_and_hooks_can_be_read() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    for hook in hooks:
        tool = hook["entry"].split()[0].removeprefix(".venv/bin/")
        assert (Path(sys.executable).parent / tool).is_file()
