"""Where a response ends: length, end-of-sequence tokens, stop strings across tokens."""

from __future__ import annotations

from transformers import GenerationConfig

from study.inference.generation.response_end import ResponseEnd, eos_tokens

WORDS = {0: "th", 1: "e", 2: " end", 3: "\n", 9: "</s>"}


def end(*stop_strings: str, max_tokens: int = 100) -> ResponseEnd:
    def decode(tokens: object) -> str:
        assert isinstance(tokens, list)
        return "".join(WORDS[token] for token in tokens)

    return ResponseEnd(max_tokens, frozenset({9}), stop_strings, decode)


def test_stop_strings_across_tokens() -> None:
    test = end("the", "\n", "")
    assert not test.is_reached([2, 0])
    assert test.is_reached([2, 0, 1])
    assert test.is_reached([2] * 30 + [3])
    assert not test.is_reached([2] * 30)


def test_no_stop_strings() -> None:
    assert not end("").is_reached([1])
    assert not end().is_reached([1])


def test_length_and_last_token() -> None:
    assert end(max_tokens=2).is_reached([2, 2])
    assert not end(max_tokens=3).is_reached([2, 2])
    assert end().is_reached([2, 9])
    assert not end().is_reached([])


def test_end_of_sequence_tokens() -> None:
    assert eos_tokens(GenerationConfig()) == frozenset()
    assert eos_tokens(GenerationConfig(eos_token_id=2)) == {2}
    assert eos_tokens(GenerationConfig(eos_token_id=[2, 5])) == {2, 5}
