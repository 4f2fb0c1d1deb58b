"""Every architecture of the registry's families: packed with the results of `hf`, or plain."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from tests.study.inference.small_models import (
    CHOICES,
    FORKED,
    PACKED,
    PLAIN,
    PROMPTS,
    SHARED,
    build_model,
    lm_requests,
    max_difference,
    shared_prefix_and_hf,
)


@pytest.mark.parametrize("name", [*PACKED, *PLAIN])
def test_results_are_those_of_hf(name: str) -> None:
    kind, config = (PACKED | PLAIN)[name]
    ours, theirs = shared_prefix_and_hf(build_model(kind, config), max_length=512)
    choices, prompts = lm_requests("loglikelihood", CHOICES), lm_requests("generate_until", PROMPTS)
    texts = lm_requests("loglikelihood_rolling", [(SHARED,), ("then " * 200,)])
    assert max_difference(ours.loglikelihood(choices), theirs.loglikelihood(choices)) < 1e-4
    rolled = zip(
        ours.loglikelihood_rolling(texts), theirs.loglikelihood_rolling(texts), strict=True
    )
    assert all(math.isclose(a, b, rel_tol=1e-6) for a, b in rolled)
    generated = ours.generate_until(prompts)
    assert generated == theirs.generate_until(prompts)
    assert any(generated)
    report = ours.report()
    # Models whose states are copied generate on the plain path.
    path = "packed" if name in PACKED else "mixed" if name in FORKED else "plain"
    assert report["path"] == path
    assert bool(report["forked_requests"]) == (path == "mixed")
    if path != "plain":
        assert report["probe_error"] < 1e-5


@pytest.mark.parametrize("name", [name for name in PLAIN if name not in FORKED])
def test_reports_why_the_plain_path_is_taken(name: str) -> None:
    ours, _ = shared_prefix_and_hf(build_model(*PLAIN[name]), max_length=512)
    ours.loglikelihood(lm_requests("loglikelihood", CHOICES[:1]))
    reasons = ours.report()["plain_requests"]
    assert list(reasons.values()) == [1]
    assert all(reasons)


def test_a_model_that_mixes_tokens_outside_of_attention_is_not_packed() -> None:
    """Nothing in the config reveals this; the probe compares numbers."""
    model = build_model(*PACKED["llama"])
    norm = model.model.layers[1].input_layernorm
    pad = torch.nn.functional.pad
    norm.register_forward_hook(lambda _, __, out: out + 0.3 * pad(out, (0, 0, 1, 0))[:, :-1])
    ours, theirs = shared_prefix_and_hf(model)
    assert "off by" in ours.probe.reason
    assert ours.probe.error > ours.probe.tolerance
    choices = lm_requests("loglikelihood", CHOICES)
    assert max_difference(ours.loglikelihood(choices), theirs.loglikelihood(choices)) < 1e-4


@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_rope_that_depends_on_the_batch_is_packed_up_to_its_original_length(
    kind: str,
) -> None:
    scaling: dict[str, Any] = {"rope_type": kind, "factor": 2.0, "rope_theta": 1e4}
    if kind == "longrope":
        factors = {"short_factor": [1.0] * 4, "long_factor": [2.0] * 4}
        scaling |= {**factors, "original_max_position_embeddings": 128}
    config = {
        **PACKED["phi3"][1],
        "rope_parameters": scaling,
        "max_position_embeddings": 256 if kind == "longrope" else 128,
        "original_max_position_embeddings": 128,
    }
    ours, theirs = shared_prefix_and_hf(
        build_model("phi3" if kind == "longrope" else "llama", config), max_length=256
    )
    assert ours.probe.max_length == 128
    mixed = lm_requests("loglikelihood", [("an inn ", "then"), ("her bath " * 40, "then")])
    assert max_difference(ours.loglikelihood(mixed), theirs.loglikelihood(mixed)) < 1e-4
    assert ours.report()["path"] == "mixed"
