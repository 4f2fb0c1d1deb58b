"""Demonstrations that a model wrote, checked.

In: what it wrote for every item, and the items' fields and answers. Out: shares. A model that
copies the item into its demonstrations, with the answer, has answered and demonstrated nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean

from study.config.wording import Fields, Layout
from study.scorers.extraction import normalised


def demonstrations_in(text: str, layout: Layout, names: Sequence[str]) -> list[tuple[Fields, str]]:
    r"""The demonstrations that keep to the layout: fields of these names, and an answer.

    >>> from study.config.wording import ZOO
    >>> demonstrations_in("question a b answer : b \n question c answer :", ZOO, ["question"])
    [((('question', 'a b'),), 'b')]
    """
    found = []
    for number in range(1, text.count("\n") + 2):
        values = tuple((name, f"\ue000{i}\ue001") for i, name in enumerate(names))
        pattern = re.escape(layout.demonstration(values, "\ue000answer\ue001", number).strip())
        pattern = re.sub("\ue000(\\w+)\ue001", r"(?P<g\1>[^\\n]*?)", pattern)
        at = re.search(rf"(?:^|\n)[ \t]*{pattern}[ \t]*(?=\n)", text)
        if at is None:
            break
        fields = tuple((name, at[f"g{i}"].strip()) for i, name in enumerate(names))
        found.append((fields, at["ganswer"].strip()))
        text = text[at.end() :]
    return found


def check_written(
    texts: Sequence[str], fields: Sequence[Fields], answers: Sequence[str], layout: Layout
) -> dict[str, float]:
    """Shares of items: with a demonstration that keeps to the layout (`parsed`), with the item's
    own question among the demonstrations (`copied`), with a demonstration whose answer is the
    item's (`same_answer`), and that restate the question as it was asked (`restated`)."""
    parsed, copied, same, restated = [], [], [], []
    for text, asked, answer in zip(texts, fields, answers, strict=True):
        shown = demonstrations_in(text, layout, [name for name, _ in asked])
        parsed.append(bool(shown))
        copied.append(any(_alike(question, asked) for question, _ in shown))
        same.append(any(normalised(given) == normalised(answer) for _, given in shown))
        restated.append(_words(layout.asked(asked)) in _words(text))
    return {
        "parsed": fmean(parsed),
        "copied": fmean(copied),
        "same_answer": fmean(same),
        "restated": fmean(restated),
    }


def _alike(one: Fields, other: Fields) -> bool:
    return [normalised(value) for _, value in one] == [normalised(value) for _, value in other]


def _words(text: str) -> str:
    return " ".join(text.split())
