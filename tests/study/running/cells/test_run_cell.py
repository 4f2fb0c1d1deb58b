"""What a cell's record says, and interventions on the model during its evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

import pytest

from study.models import interventions
from study.models.interventions import Intervention
from study.results.run import Run
from tests.conftest import MakeRun
from tests.in_process import evaluate_all


def test_records_of_cells(small: Run) -> None:
    cells = small.cells
    for key in cells.done():
        record = cells.record(key)
        shots = record["identity"]["arm"]["shots"]
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


def test_scores_can_be_recomputed_from_the_items(small: Run) -> None:
    for key in small.cells.done():
        items = small.cells.items(key).to_pandas()
        best = [int(max(range(len(row)), key=lambda i: row[i])) for row in items["logprobs"]]
        correct = [float(str(b) == gold) for b, gold in zip(best, items["gold"], strict=True)]
        assert correct == list(items["score"])


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
    sums = {
        arm: [sum(row) for row in run.cells.items(key).to_pydict()["logprobs"]]
        for arm, key in keys.items()
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
    assert record["identity"]["arm"]["interventions"] == [{"name": "scaled", "scale": 0.25}]
    assert "interventions" not in run.cells.record(keys["base-0shot"])["identity"]["arm"]
