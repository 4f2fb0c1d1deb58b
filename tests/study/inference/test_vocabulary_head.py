"""Only an output layer that alone makes the logits is taken out of the model."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from study.inference.engine import Engine
from study.inference.vocabulary_head import Logits, has_hooks, plain_head, skipped_head
from tests.study.inference.small_models import PACKED, build_model

CPU = torch.device("cpu")
IDS = torch.tensor([[5, 6, 7]])


def with_config(name: str, **changes: Any) -> Any:
    kind, config = PACKED[name]
    return build_model(kind, {**config, **changes})


@pytest.mark.parametrize("name", ["llama", "gpt2", "phi", "gemma3", "mixtral"])
def test_a_plain_head_gives_the_logits_of_the_model(name: str) -> None:
    model = build_model(*PACKED[name])
    head = plain_head(model, CPU, {})
    assert head is model.get_output_embeddings()
    with torch.no_grad():
        with skipped_head(head):
            hidden = model(IDS).logits
        assert torch.equal(Logits(hidden[0], head)[1:], model(IDS).logits[0, 1:])
    assert "forward" not in head.__dict__


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("gemma2", {}),
        ("gemma3", {"final_logit_softcapping": 30.0}),
        ("granite", {"logits_scaling": 3.0}),
        ("cohere", {"logit_scale": 0.07}),
    ],
)
def test_logits_that_are_capped_or_scaled_are_left_to_the_model(
    name: str, changes: dict[str, Any]
) -> None:
    assert plain_head(with_config(name, **changes), CPU, {}) is None


def test_a_head_of_another_kind_is_left_to_the_model() -> None:
    class Observed(torch.nn.Linear):
        """A layer that is more than its weights, as those of adapters are."""

    model = build_model(*PACKED["llama"])
    model.lm_head.__class__ = Observed
    assert plain_head(model, CPU, {}) is None


def test_a_head_with_hooks_is_left_to_the_model() -> None:
    model = build_model(*PACKED["llama"])
    engine = Engine(model)
    seen: list[int] = []
    hook = model.lm_head.register_forward_hook(lambda *_: seen.append(1))
    assert has_hooks(model.lm_head)
    assert plain_head(model, CPU, {}) is None
    from study.inference.generation.decoding import prefill_prefix

    prefill_prefix(engine, [5, 6])
    assert seen == [1]
    hook.remove()
    prefill_prefix(engine, [5, 6])
    assert seen == [1]


def test_infinite_hidden_states_show_as_nan() -> None:
    model = build_model(*PACKED["llama"])
    head = plain_head(model, CPU, {})
    assert head is not None
    with torch.no_grad(), skipped_head(head):
        model.model.norm.weight[:] = torch.inf
        assert model(IDS).logits.isnan().any()
