"""Lists of pairs that the weights contradict."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from study.errors import StudyError
from study.models.pair_checks import swapped_pairs
from study.models.pairs import zoo
from study.planning.plan_report import plan_json, plan_text
from study.planning.resolving.resolve_study import resolve_study
from study.planning.resolving.resolved_study import ResolvedStudy
from study.results.run import Run
from tests.conftest import MakeRun
from tests.in_process import plan
from tests.study.models.folders.conftest import change_json

PAIR = zoo()[0]
LISTED = {
    "base": PAIR.base.path,
    "tuned": PAIR.tuned.path,
    "family": "f",
    "params_b": PAIR.params_b,
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Another copy of the pair, under other names and with another configuration."""
    for role in ("base", "tuned"):
        shutil.copytree(PAIR.member(role).path, tmp_path / "models" / f"other-{role}")
        config = tmp_path / "models" / f"other-{role}" / "config.json"
        change_json(config, transformers_version="0")
    return tmp_path / "models"


def _resolved(folder: Path) -> ResolvedStudy:
    return resolve_study(Run.open(folder))


def _notes(folder: Path) -> list[str]:
    resolved = _resolved(folder)
    return list(swapped_pairs(resolved.pairs, resolved.models))


def test_a_pair_that_stands_twice_is_refused(make_run: MakeRun, copy: Path) -> None:
    other = {"base": str(copy / "other-base"), "tuned": str(copy / "other-tuned"), "name": "again"}
    with pytest.raises(StudyError, match=r"pairs: again: found the weights of the pair .*tuned"):
        _resolved(make_run(pairs=[LISTED, {**LISTED, **other}]))


def test_a_base_with_two_tuned_models_is_no_repetition(make_run: MakeRun) -> None:
    other = {**LISTED, "tuned": zoo()[1].tuned.path, "params_b": zoo()[1].params_b, "name": "b"}
    pairs = [LISTED, {**other, "base": zoo()[1].base.path}]
    assert len(_resolved(make_run(pairs=pairs)).pairs) == 2


def test_a_pair_of_a_model_and_itself_is_refused(make_run: MakeRun, copy: Path) -> None:
    pair = {**LISTED, "tuned": str(copy / "other-base")}
    with pytest.raises(StudyError, match=r"found the same weights in .*base and .*other-base"):
        _resolved(make_run(pairs=[pair]))


@pytest.mark.parametrize("factor", [0.1, 0.6, 1.6, 1000])
def test_another_size_than_that_of_the_weights_is_refused(factor: float, make_run: MakeRun) -> None:
    pair = {**LISTED, "params_b": factor * PAIR.params_b}
    with pytest.raises(StudyError, match=r"params_b: found .*where the weights of the base model"):
        _resolved(make_run(pairs=[pair]))


@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_a_rounded_size_is_accepted(factor: float, make_run: MakeRun) -> None:
    pair = {**LISTED, "params_b": factor * PAIR.params_b}
    assert _resolved(make_run(pairs=[pair])).pairs


def test_swapped_models_are_noticed(make_run: MakeRun, copy: Path) -> None:
    """Only where the template is on the base's side alone."""
    assert _notes(make_run("as-published", pairs=[LISTED])) == []
    config = copy / "other-tuned" / "tokenizer_config.json"
    settings = json.loads(config.read_text())
    settings.pop("chat_template", None)
    config.write_text(json.dumps(settings))
    (copy / "other-tuned" / "chat_template.jinja").unlink(missing_ok=True)
    pair = {**LISTED, "tuned": str(copy / "other-tuned")}
    run = make_run(pairs=[pair])
    (note,) = _notes(run)
    assert "check that they are not swapped" in note
    planned = plan(run)
    assert plan_text(planned).endswith(f"\n\nwarnings (1):\n  {note}")
    assert plan_json(planned)["warnings"] == [note]
