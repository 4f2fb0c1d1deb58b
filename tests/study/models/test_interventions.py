"""An intervention on the model: in the registry, in the cell's identity, and on the forward passes.

The intervention of these tests scales the output of every attention layer by a forward hook.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from study.errors import StudyError
from study.models.interventions import Intervention, intervention
from study.models.pairs import zoo
from study.results.run import Run
from tests.conftest import MakeRun
from tests.in_process import evaluate_all, plan


class ScaledAttention(Intervention):
    """Multiplies what every attention layer adds to the residual stream."""

    def __init__(self, name: str, factor: float, *, allows_packing: bool = False) -> None:
        self.name = name  # type: ignore[misc]
        self.allows_packing = allows_packing  # type: ignore[misc]
        self.factor = factor
        self.hooked: list[Any] = []
        "Attention layers under the hook at present."

    @contextmanager
    def applied(self, model: Any) -> Iterator[None]:
        def scale(module: Any, arguments: Any, output: Any) -> Any:
            return (output[0] * self.factor, *output[1:])

        layers = [layer.self_attn for layer in model.model.layers]
        handles = [layer.register_forward_hook(scale) for layer in layers]
        self.hooked = layers
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            self.hooked = []

    def identity(self) -> dict[str, object]:
        return {"attention_scale": self.factor}


HALF = ScaledAttention("half", 0.5)
SAME = ScaledAttention("same", 1.0)
PACKED = ScaledAttention("packed", 0.5, allows_packing=True)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.models.interventions.INTERVENTIONS", (HALF, SAME, PACKED))


def _study(arms: list[str]) -> dict[str, Any]:
    return {
        "pairs": [{"source": "zoo", "pair": ["llama-early-xs"]}],
        "tasks": {"suite": "zoo_mc", "only": ["zoo_colour_mc"]},
        "arms": [*arms, "tuned-0shot"],
        "contrasts": [{"name": "c", "x": arms[0], "y": "tuned-0shot"}],
        "draws": 1,
    }


def _cells(folder: Path) -> dict[str, Any]:
    """By arm, the planned cell."""
    return {cell.arm.name: cell for job in plan(folder).plan.jobs for cell in job.cells}


def _log_probabilities(run: Run, key: str) -> list[list[float]]:
    responses = run.cells.record(key)["responses"]
    table = run.responses.items(responses, ["logprobs"]).to_pydict()
    values: list[list[float]] = table["logprobs"]
    return values


@pytest.mark.usefixtures("registered")
def test_an_intervention_is_looked_up_by_name() -> None:
    assert intervention("half") is HALF
    with pytest.raises(ValueError, match=r"one of 'half', 'same', 'packed'\. Did you mean 'half'"):
        intervention("halves")


def test_an_arm_with_an_unknown_intervention_is_refused(make_run: MakeRun) -> None:
    folder = make_run(**_study(["base-0shot+half"]))
    with pytest.raises(
        StudyError, match=r"arms\[0\]: found 'base-0shot\+half'; expected an intervention: none is"
    ):
        plan(folder)


@pytest.mark.usefixtures("registered")
def test_the_identity_contains_what_the_intervention_adds(make_run: MakeRun) -> None:
    arms = ["base-0shot", "base-0shot+half", "base-0shot+same", "base-0shot+half+same"]
    cells = _cells(make_run(**_study(arms)))
    assert "interventions" not in cells["base-0shot"].identity["responses"]["model"]
    assert cells["base-0shot+half"].identity["responses"]["model"]["interventions"] == [
        {"name": "half", "attention_scale": 0.5}
    ]
    assert cells["base-0shot+half+same"].identity["responses"]["model"]["interventions"] == [
        {"name": "half", "attention_scale": 0.5},
        {"name": "same", "attention_scale": 1.0},
    ]
    assert len({cells[arm].key for arm in arms}) == 4


@pytest.mark.usefixtures("registered")
def test_cells_are_evaluated_under_the_intervention(make_run: MakeRun) -> None:
    plain = make_run("plain", **_study(["base-0shot"]))
    arms = ["base-0shot+half", "base-0shot", "base-0shot+same", "base-0shot+packed"]
    folder = make_run("changed", **_study(arms))
    cells, run, plain_run = _cells(folder), evaluate_all(folder), evaluate_all(plain)
    keys = {arm: str(cell.key) for arm, cell in cells.items()}
    values = {arm: _log_probabilities(run, keys[arm]) for arm in arms}

    # The model is changed within the arm, and as it was after it.
    assert values["base-0shot+half"] != values["base-0shot"]
    assert values["base-0shot"] == _log_probabilities(plain_run, keys["base-0shot"])
    assert (
        run.cells.record(keys["base-0shot"])["score"]
        == (plain_run.cells.record(keys["base-0shot"])["score"])
    )
    assert HALF.hooked == SAME.hooked == PACKED.hooked == []

    # A factor of 1 on lm-eval's own path changes nothing but rounding.
    for changed, unchanged in zip(values["base-0shot+same"], values["base-0shot"], strict=True):
        assert changed == pytest.approx(unchanged, abs=1e-3)

    # Only an intervention that allows it runs on the packed path; here both paths agree.
    paths = {arm: run.cells.record(keys[arm])["scoring"] for arm in arms}
    assert paths["base-0shot"] != paths["base-0shot+half"]
    for arm in ("half", "same"):
        assert f"the intervention {arm}" in str(paths[f"base-0shot+{arm}"])
    assert "the intervention" not in str(paths["base-0shot+packed"])
    for packed, half in zip(values["base-0shot+packed"], values["base-0shot+half"], strict=True):
        assert packed == pytest.approx(half, abs=1e-3)


@pytest.mark.usefixtures("registered")
def test_hooks_are_removed_after_a_failure() -> None:
    model = AutoModelForCausalLM.from_pretrained(zoo()[0].base.path)
    hooks = model.model.layers[0].self_attn._forward_hooks
    with HALF.applied(model):
        assert len(hooks) == 1
    assert not hooks
    with pytest.raises(IndexError), HALF.applied(model):
        model(torch.tensor([[10**6]]))
    assert not hooks
