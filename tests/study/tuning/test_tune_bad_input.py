"""Bad recipes and bad data get one clear error, before or during a training."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from study.errors import StudyError
from tests.study.tuning.small_studies import changed, the_model, tune_here, write_study

LONG = {"zoo": ["lookup"], "context": 2}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown mixture": (
        {"recipe": {"mixture": "tree"}},
        r"tuning: found a contradiction; expected recipes\[0\].mixture: one of 'three', "
        r"found 'tree'. Did you mean 'three'\?",
    ),
    "unknown skill": (
        {"mixture": {"sources": [{"zoo": ["revers"]}]}},
        r"tuning.mixtures.three.sources\[0\].zoo: found 'revers'; expected skills .*'reverse'\?",
    ),
    "unknown source left out": (
        {"mixture": {"without": ["strangs"]}},
        r"tuning.mixtures.three.without: found 'strangs'",
    ),
    "nothing left": (
        {"mixture": {"only": ["reverse"], "without": ["strings"]}},
        "found no source left",
    ),
    "longer than the window": (
        {"mixture": {"sources": [{**LONG, "context": 20}]}},
        r"a row of lookup with \d+ tokens; expected 160 at most.*longer: drop",
    ),
    "diverging": (
        {"optimiser": {"learning_rate": 900.0, "clip": 1e9, "warmup": 0}},
        r"found a loss of .* at step \d+.*expected a loss that falls.*learning_rate",
    ),
    "quantised without a GPU": (
        {"recipe": {"adapter": "four"}, "adapters": {"four": {"bits": 4}}},
        "tuning.adapters: bits: found 4, and no GPU here",
    ),
    "unknown module": (
        {"recipe": {"adapter": "a"}, "adapters": {"a": {"modules": ["query"]}}},
        "found no module 'query' in the base model; expected modules such as",
    ),
    "empty mask": (
        {"optimiser": {"longest": 8}, "mixture": {"longer": "truncate", "sources": [LONG]}},
        "found no row that can be used: cut before any token that carries loss",
    ),
    "not a conversation": (
        {"mixture": {"sources": [{"file": "bad.jsonl"}]}},
        r"bad.jsonl: line 2: found the message .*expected an object with `messages`",
    ),
    "no file": (
        {"mixture": {"sources": [{"file": "nowhere.jsonl"}]}},
        "tuning.mixtures.three.sources.*nowhere.jsonl",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_clear_error(name: str, tmp_path: Path) -> None:
    parts, message = BAD[name]
    folder = write_study(tmp_path / "run", changed(**json.loads(json.dumps(parts))))
    turns = [{"role": "user", "content": "a b"}, {"role": "assistant", "content": "b"}]
    (folder / "bad.jsonl").write_text(
        json.dumps({"messages": turns}) + "\n" + json.dumps({"messages": [{"role": "bot"}]})
    )
    with pytest.raises(StudyError) as caught:
        tune_here(folder)
    assert re.search(message, str(caught.value)), str(caught.value)
    assert not list(folder.glob("results/tuned/*"))


@pytest.mark.parametrize("name", ["unknown skill", "diverging"])
def test_the_command_prints_one_line(name: str, tmp_path: Path, study_command: Any) -> None:
    """A fault of the study file ends the command; one of a training fails only that model."""
    parts, message = BAD[name]
    folder = write_study(tmp_path / "run", changed(**json.loads(json.dumps(parts))))
    done = study_command("tune", folder, "--device", "cpu")
    assert done.returncode == (2 if name == "unknown skill" else 1), done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(message, done.stderr.replace("\n", " ")), done.stderr


def test_a_checkpoint_of_another_recipe(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "run")
    checkpoint = folder / "results" / "tuning" / the_model(folder).key / "checkpoint-5"
    checkpoint.mkdir(parents=True)
    (checkpoint / "complete.json").write_text(json.dumps({"key": "other", "losses": []}))
    with pytest.raises(StudyError, match="found a checkpoint of the recipe other; expected one of"):
        tune_here(folder)
