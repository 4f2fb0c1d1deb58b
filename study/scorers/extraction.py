"""Extracting an answer from a response, by the same rule for every arm.

In: a response, the study's layout. Out: the answer.

The rule `same`: the text after the last answer cue, or without a cue the first non-empty line.
`as_released` is that of Bigoulaeva et al. (2025): a tuned model that does not write the cue has not
answered, while for a base model a cue, an option mentioned anywhere in the first line, or the whole
line is accepted. Arms are then not measured alike.
"""

from __future__ import annotations

from collections.abc import Sequence

from study.config.wording import Layout


def extract_answer(
    response: str, layout: Layout, rule: str, role: str, options: Sequence[str]
) -> str:
    """The answer in a response by the rule `same` or `as_released`."""
    if rule == "same":
        return extract_same(response, layout)
    return extract_as_released(response, layout, tuned=role == "tuned", options=options)


def extract_same(response: str, layout: Layout) -> str:
    """The answer by the rule that is the same for all arms.

    >>> from study.config.wording import SOURCE
    >>> extract_same("Answer 1: no\\nAnswer Solution: 'Yes.'\\nEND_EXAMPLES", SOURCE)
    'Yes'
    """
    return _plain(_first_line(response.rpartition(layout.cue())[2]), layout)


def extract_as_released(
    response: str, layout: Layout, *, tuned: bool, options: Sequence[str]
) -> str:
    """The answer by the two rules of Bigoulaeva et al. (2025)."""
    cue = layout.cue()
    if tuned:
        if cue not in response:
            return ""
        return _plain(_first_line(response.rpartition(cue)[2]), layout)
    line = _first_line(response)
    if cue in line:
        return _plain(line.rpartition(cue)[2], layout)
    mentioned = [option for option in options if option.strip() and option.strip() in line]
    return mentioned[0].strip() if mentioned else _plain(line, layout)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.split("\n") if line.strip()), "")


def _plain(answer: str, layout: Layout) -> str:
    """The answer without the end mark, quotes and the final full stop."""
    end = layout.end.strip()
    before_end = answer.partition(end)[0] if end else answer
    return before_end.strip().strip("\"'").rstrip(".").strip("\"' ")
