"""Generation that is interrupted at random steps and resumed, on both paths: the same responses."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from study.inference import SharedPrefixLM
from study.inference.lm_eval_model.plain_generation import MAX_BATCH_SECONDS, PlainBatchSize
from tests.study.inference.small_models import (
    PACKED,
    PLAIN,
    PROMPTS,
    SHARED,
    build_model,
    lm_requests,
    shared_prefix_and_hf,
    with_budget,
)

ZOO = Path(__file__).parents[4] / "study/zoo"
ARGUMENTS = {"until": ["he", "<eos>"], "max_gen_toks": 16}
PACKED_NAMES = ("llama", "mistral, window", "gemma2", "gpt2", "llama4, chunks")
PLAIN_NAMES = ("mpt", "mamba", "recurrent_gemma")
REQUESTS = lm_requests(
    "generate_until",
    [*PROMPTS, *((SHARED + "in" * n + " an", ARGUMENTS) for n in range(6)), ("a", ARGUMENTS)],
)
SAMPLED = lm_requests(
    "generate_until",
    [
        (context, {"until": [], "max_gen_toks": 8, "do_sample": True, "temperature": 1.5})
        for context in ("the bath", "an inn", "the bath")
    ],
)


class InterruptedRun(Exception):
    """A run that was killed."""


def zoo_requests() -> list[Any]:
    lines = (ZOO / "lm_eval_tasks/items/reverse.jsonl").read_text().splitlines()[:20]
    questions = [f"give the reverse of {json.loads(line)['asked']} =" for line in lines]
    arguments = {"until": ["\n", "<eos>"], "max_gen_toks": 12}
    return lm_requests("generate_until", [(text, arguments) for text in questions])


def resumed_until_finished(
    lm: Any, requests: list[Any], seed: int, max_steps: int = 9
) -> tuple[list[str], int]:
    """Responses of a call that is killed after random steps, and how often it was killed.

    What is stored is older than the kill, as if it were written only now and then.
    """
    rng = random.Random(seed)
    stored, kills = json.dumps(({}, {})), 0
    while True:
        tokens, texts = json.loads(stored)
        remaining = rng.randrange(1, max_steps)

        def on_step(progress: Any = (tokens, texts)) -> None:
            nonlocal stored, remaining
            if rng.random() < 0.5:
                stored = json.dumps(progress)
            remaining -= 1
            if remaining == 0:
                raise InterruptedRun

        try:
            with lm.resuming(tokens, texts, on_step):
                return lm.generate_until(requests, disable_tqdm=True), kills
        except InterruptedRun:
            kills += 1


@contextmanager
def counted_tokens(model: Any) -> Iterator[list[int]]:
    """The number of tokens of each forward pass."""
    counts: list[int] = []
    hook = model.register_forward_hook(
        lambda _, __, named, ___: counts.append(named["input_ids"].numel()), with_kwargs=True
    )
    yield counts
    hook.remove()


@pytest.mark.parametrize("name", [*PACKED_NAMES, *PLAIN_NAMES])
def test_responses_are_those_of_an_uninterrupted_call(name: str) -> None:
    model = build_model(*(PACKED | PLAIN)[name])
    ours, theirs = shared_prefix_and_hf(model, max_length=512)
    expected = theirs.generate_until(REQUESTS, disable_tqdm=True)
    if name in PACKED:
        with_budget(ours, 60, 5)
    responses, kills = resumed_until_finished(
        ours, REQUESTS, seed=0, max_steps=9 if name in PACKED else 3
    )
    assert responses == expected
    assert kills > 0
    assert ours.report()["path"] == ("packed" if name in PACKED else "plain")


@pytest.mark.parametrize("member", ["llama-late-xs", "neox-late-xs", "olmo2-early-xs"])
@pytest.mark.parametrize("penalty", [None, 1.3])
def test_responses_of_trained_models(member: str, penalty: float | None) -> None:
    folder = str(ZOO / f"models/{member}/base")
    lm: Any = SharedPrefixLM(pretrained=folder, device="cpu", dtype="float32")
    lm.model.generation_config.repetition_penalty = penalty
    requests = zoo_requests()
    expected = with_budget(lm, 200, 7).generate_until(requests, disable_tqdm=True)
    responses, kills = resumed_until_finished(lm, requests, seed=1)
    assert responses == expected
    assert kills > 0
    assert lm.report()["path"] == "packed"


@pytest.mark.parametrize("name", ["llama", "mpt"])
def test_finished_responses_are_not_generated_again(name: str) -> None:
    lm, _ = shared_prefix_and_hf(build_model(*(PACKED | PLAIN)[name]), max_length=512)
    progress: Any = ({}, {})
    with lm.resuming(*progress):
        expected = lm.generate_until(REQUESTS[:4], disable_tqdm=True)
    with counted_tokens(lm.model) as counts, lm.resuming(*progress):
        assert lm.generate_until(REQUESTS[:4], disable_tqdm=True) == expected
    assert counts == []
    with counted_tokens(lm.model) as rest, lm.resuming({}, {}):
        further = lm.generate_until(REQUESTS[4:6], disable_tqdm=True)
    with counted_tokens(lm.model) as counts, lm.resuming(*progress):
        assert lm.generate_until(REQUESTS[:6], disable_tqdm=True) == expected + further
    assert counts == rest


def test_an_unfinished_response_is_continued() -> None:
    lm, _ = shared_prefix_and_hf(build_model(*PACKED["llama"]))
    request = lm_requests("generate_until", [("the bath", {"until": [], "max_gen_toks": 9})])
    whole: dict[str, list[int]] = {}
    with counted_tokens(lm.model) as counts, lm.resuming(whole, {}):
        expected = lm.generate_until(request, disable_tqdm=True)
    ((name, tokens),) = whole.items()
    assert (len(tokens), counts[-8:]) == (9, [1] * 8)
    part = {name: tokens[:5]}
    with counted_tokens(lm.model) as resumed, lm.resuming(part, {}):
        assert lm.generate_until(request, disable_tqdm=True) == expected
    assert part == whole
    assert sum(resumed) == sum(counts)  # each token of the text is computed once
    assert resumed[-3:] == [1] * 3
    assert len(resumed) < len(counts)


def test_sampled_responses_depend_on_their_request_alone() -> None:
    lm, _ = shared_prefix_and_hf(build_model(*PACKED["llama"]))
    with lm.resuming({}, {}):
        expected = lm.generate_until(SAMPLED, disable_tqdm=True)
    assert len(set(expected)) == 3  # one prompt is sampled twice
    responses, kills = resumed_until_finished(lm, SAMPLED, seed=0, max_steps=3)
    assert responses == expected
    assert kills > 0
    with lm.resuming({}, {}):
        assert lm.generate_until(SAMPLED[1:2], disable_tqdm=True) == expected[1:2]


def test_batches_of_the_plain_path_take_bounded_time() -> None:
    size = PlainBatchSize()
    for expected in (2, 4, 8, 16, 32, 64, 64):
        size.update(0.1, steps=10, max_steps=10)
        assert size.requests == expected
    size.update(MAX_BATCH_SECONDS / 1.5, steps=10, max_steps=10)
    assert size.requests == 64
    # A tenth of the possible steps took a quarter of the time: ten tenths take two and a half.
    size.update(MAX_BATCH_SECONDS / 4, steps=10, max_steps=100)
    assert size.requests == 16
    size.update(1000 * MAX_BATCH_SECONDS, steps=10, max_steps=10)
    assert size.requests == 1


def test_a_batch_of_the_plain_path_is_measured() -> None:
    lm, _ = shared_prefix_and_hf(build_model(*PLAIN["mpt"]), max_length=512)
    with lm.resuming({}, {}):
        lm.generate_until(REQUESTS, disable_tqdm=True)
    seconds, steps, max_steps = lm._last_batch
    assert 0 < seconds < MAX_BATCH_SECONDS
    assert 0 < steps <= max_steps == 16
    assert lm._plain_size.requests > 1
