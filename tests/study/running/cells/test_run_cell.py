"""What a cell's record says, and interventions on the model during its evaluation."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.parquet as pq
import pytest

from study.models import interventions
from study.models.interventions import Intervention
from study.models.pairs import zoo
from study.results.run import Run
from tests.conftest import MakeRun
from tests.in_process import evaluate_all


def test_records_of_cells(small: Run) -> None:
    cells = small.cells
    for key in cells.done():
        record = cells.record(key)
        shots = record["identity"]["responses"]["prompts"]["arm"]["shots"]
        assert record["key"] == key
        assert record["effective_shots"] == {"least": shots, "most": shots}
        assert len(record["demonstrations"]) == shots
        assert record["bos_count"] == 1
        assert record["truncated_items"] == 0
        assert record["scoring"]["path"] == "packed"
        assert record["scoring"]["plain_requests"] == {}
        assert 0 <= record["scoring"]["probe_error"] < 1e-4
        assert (record["provenance"]["chat_template"] is None) == ("chat" not in record["arm"])
        items = cells.items(key).to_pandas()
        assert items["score"].mean() == record["score"]


def test_scores_are_those_of_the_responses_and_the_gold_answers(small: Run) -> None:
    for row in small.ledger.rows:
        responses = small.responses.items(row["responses"]).to_pydict()
        (file,) = (small.results / "items").glob(f"{row['task']}.*.parquet")
        asked = pq.read_table(file).to_pydict()
        gold_of = dict(zip(asked["item"], asked["gold"], strict=True))
        scores = small.cells.items(row["key"]).to_pydict()
        best = [values.index(max(values)) for values in responses["logprobs"]]
        gold = [gold_of[item] for item in responses["item"]]
        assert scores["item"] == responses["item"]
        assert scores["choice"] == best
        correct = [float(str(b) == g) for b, g in zip(best, gold, strict=True)]
        assert scores["score"] == correct


class ScaledLogits(Intervention):
    """Multiplies the logits by a constant."""

    name: ClassVar[str] = "scaled"
    allows_packing: ClassVar[bool] = True

    def applied(self, model: Any) -> AbstractContextManager[None]:
        @contextmanager
        def context() -> Iterator[None]:
            handle = model.lm_head.register_forward_hook(lambda *parts: 0.25 * parts[2])
            try:
                yield
            finally:
                handle.remove()

        return context()

    def identity(self) -> dict[str, object]:
        return {"scale": 0.25}


class ScaledPlainLogits(ScaledLogits):
    """The same outside the packed engine."""

    name: ClassVar[str] = "scaled_plain"
    allows_packing: ClassVar[bool] = False

    def identity(self) -> dict[str, object]:
        return {"scale": 0.25, "engine": "plain"}


def test_interventions_change_the_forward_passes_of_their_arm_only(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered = (ScaledLogits(), ScaledPlainLogits())
    monkeypatch.setattr(interventions, "INTERVENTIONS", registered)
    arms = ["base-0shot+scaled", "base-0shot+scaled_plain", "base-0shot", "tuned-0shot"]
    run = evaluate_all(
        make_run(
            pairs=[{"source": "zoo", "pair": ["llama-early-xs"]}],
            arms=arms,
            contrasts=[{"name": "c", "x": "base-0shot+scaled", "y": "tuned-0shot"}],
            tasks={"suite": "zoo_mc", "only": ["zoo_colour_mc"]},
        )
    )
    keys = {row["arm"]: row["key"] for row in run.ledger.rows}
    assert len(set(keys.values())) == 4
    responses = {row["arm"]: row["responses"] for row in run.ledger.rows}
    sums = {
        arm: [sum(row) for row in run.responses.items(key).to_pydict()["logprobs"]]
        for arm, key in responses.items()
    }
    paths = {arm: run.cells.record(key)["scoring"] for arm, key in keys.items()}
    assert sums["base-0shot+scaled"] == pytest.approx(sums["base-0shot+scaled_plain"], abs=1e-3)
    assert sums["base-0shot+scaled"] != pytest.approx(sums["base-0shot"], abs=0.1)
    assert paths["base-0shot+scaled"]["plain_requests"] == {}
    assert list(paths["base-0shot+scaled_plain"]["plain_requests"]) == [
        "the intervention scaled_plain"
    ]
    assert paths["base-0shot"]["plain_requests"] == {}
    record = run.cells.record(keys["base-0shot+scaled"])
    model = record["identity"]["responses"]["model"]
    assert model["interventions"] == [{"name": "scaled", "scale": 0.25}]
    plain = run.cells.record(keys["base-0shot"])["identity"]["responses"]["model"]
    assert "interventions" not in plain


def test_models_with_one_template_and_other_special_tokens_do_not_share_prompts(
    make_run: MakeRun, tmp_path: Path
) -> None:
    """The second of two models in one process gets the prompts that it gets alone."""
    pair, *others = zoo()
    source = {"end": pair, "other": next(p for p in others if p.params_b == pair.params_b)}
    for name, eos in {"end": "<eos>", "other": "<unk>"}.items():
        shutil.copytree(source[name].tuned.path, tmp_path / "models" / name)
        path = tmp_path / "models" / name / "tokenizer_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token": eos}))

    def hashes(*names: str) -> dict[str, set[str]]:
        listed = {"family": "f", "params_b": pair.params_b, "base": pair.base.path}
        run = evaluate_all(
            make_run(
                "-".join(names),
                pairs=[
                    {**listed, "name": name, "tuned": str(tmp_path / "models" / name)}
                    for name in names
                ],
                arms=["tuned-1shot-chat", "base-1shot"],
                contrasts=[{"name": "c", "x": "base-1shot", "y": "tuned-1shot-chat"}],
                tasks={"suite": "zoo_mc", "only": ["zoo_colour_mc"]},
                draws=1,
                limit=3,
            )
        )
        return {
            row["pair"]: set(run.responses.items(row["responses"])["prompt_hash"].to_pylist())
            for row in run.ledger.rows
            if row["role"] == "tuned"
        }

    together = hashes("end", "other")
    assert together == {**hashes("end"), **hashes("other")}
    assert not together["end"] & together["other"]
