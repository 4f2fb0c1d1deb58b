"""Every architecture of the registry's families: packed and equal to lm-eval's own, or plain."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from tests.study.inference.models import PACKED, PLAIN, ask, both, build

SHARED = "the answer is in another theatre, then " * 4
CHOICES = [
    *((SHARED + question, answer) for question in ("Q: an inn?", "Q: her bath, " * 9)
      for answer in (" A", " ab", " a bather", " a bather then")),
    ("", " the rather"), ("other ", "her"), ("then " * 150, " than"),
]  # fmt: skip
PROMPTS = [(SHARED + word, {"until": ["he"], "max_gen_toks": 12}) for word in
           ("a", "an inn", "Q: her bath, " * 5, "b b")]  # fmt: skip


def worst(ours: list[Any], theirs: list[Any]) -> float:
    assert [greedy for _, greedy in ours] == [greedy for _, greedy in theirs]
    return max(abs(a - b) for (a, _), (b, _) in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("name", [*PACKED, *PLAIN])
def test_answers_are_lm_evals(name: str) -> None:
    kind, config = (PACKED | PLAIN)[name]
    ours, theirs = both(build(kind, config), max_length=512)
    choices, prompts = ask("loglikelihood", CHOICES), ask("generate_until", PROMPTS)
    texts = ask("loglikelihood_rolling", [(SHARED,), ("then " * 200,)])
    assert worst(ours.loglikelihood(choices), theirs.loglikelihood(choices)) < 1e-4
    rolled = zip(
        ours.loglikelihood_rolling(texts), theirs.loglikelihood_rolling(texts), strict=True
    )
    assert all(math.isclose(a, b, rel_tol=1e-6) for a, b in rolled)
    generated = ours.generate_until(prompts)
    assert generated == theirs.generate_until(prompts)
    assert any(generated)
    report = ours.report()
    assert report["path"] == ("packed" if name in PACKED else "plain")
    assert (report["probe_error"] is not None and report["probe_error"] < 1e-5) == (name in PACKED)


@pytest.mark.parametrize("name", PLAIN)
def test_the_plain_path_says_why(name: str) -> None:
    ours, _ = both(build(*PLAIN[name]), max_length=512)
    ours.loglikelihood(ask("loglikelihood", CHOICES[:1]))
    reasons = ours.report()["plain_requests"]
    assert list(reasons.values()) == [1]
    assert all(reasons)


def test_a_model_whose_layers_mix_tokens_behind_our_back_is_refused() -> None:
    """The probe compares numbers: nothing in the config gives this one away."""
    model = build(*PACKED["llama"])
    norm = model.model.layers[1].input_layernorm
    pad = torch.nn.functional.pad
    norm.register_forward_hook(lambda _, __, out: out + 0.3 * pad(out, (0, 0, 1, 0))[:, :-1])
    ours, theirs = both(model)
    assert "off by" in ours.probed.reason
    assert ours.probed.error > ours.probed.tolerance
    choices = ask("loglikelihood", CHOICES)
    assert worst(ours.loglikelihood(choices), theirs.loglikelihood(choices)) < 1e-4


@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_frequencies_that_change_with_the_batch_are_not_packed_beyond_their_length(
    kind: str,
) -> None:
    scaling: dict[str, Any] = {"rope_type": kind, "factor": 2.0, "rope_theta": 1e4}
    if kind == "longrope":
        factors = {"short_factor": [1.0] * 4, "long_factor": [2.0] * 4}
        scaling |= {**factors, "original_max_position_embeddings": 128}
    config = {
        **PACKED["phi3"][1], "rope_parameters": scaling,
        "max_position_embeddings": 256 if kind == "longrope" else 128,
        "original_max_position_embeddings": 128,
    }  # fmt: skip
    ours, theirs = both(build("phi3" if kind == "longrope" else "llama", config), max_length=256)
    assert ours.probed.longest == 128
    mixed = ask("loglikelihood", [("an inn ", "then"), ("her bath " * 40, "then")])
    assert worst(ours.loglikelihood(mixed), theirs.loglikelihood(mixed)) < 1e-4
    assert ours.report()["path"] == "mixed"
