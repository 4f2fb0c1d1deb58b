"""The pages of the documentation, and the code blocks in them.

In: README.md and docs/*.md. Out: blocks of a language with the page they are on; sections; links.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

NAMES = (
    "README.md", "docs/index.md", "docs/concepts.md", "docs/study-file.md",
    "docs/gpu.md", "docs/gpus-and-clusters.md", "docs/prompt-forms.md", "docs/thinking-models.md",
    "docs/tuning.md", "docs/reading-the-tables.md", "docs/statistics.md", "docs/calibration.md",
    "docs/exchange.md", "docs/identity.md", "docs/inference.md", "docs/small-world.md",
    "docs/security.md",
    "docs/architecture.md", "docs/results/README.md", "CONTRIBUTING.md", "CHANGELOG.md",
)  # fmt: skip


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    page: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{Path(self.page).stem}-{self.number}"


def page_text(name: str) -> str:
    """The text of a page."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(language: str, name: str) -> list[Block]:
    """The blocks of a language on a page, in order."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", page_text(name), flags=re.M | re.S)
    return [Block(name, i, textwrap.dedent(text)) for i, text in enumerate(found, start=1)]


def all_blocks(language: str, *, without: tuple[str, ...] = ()) -> list[Block]:
    """The blocks of a language on all pages, in the order of the pages."""
    return [block for name in NAMES if name not in without for block in blocks(language, name)]


def sections(name: str) -> dict[str, str]:
    """By heading, the text up to the next heading of the same or a higher level."""
    lines = page_text(name).split("\n")
    heads = [(i, len(m[1]), m[2]) for i, line in enumerate(lines)
             if (m := re.match(r"(#+) (.*)", line))]  # fmt: skip
    return {
        title: "\n".join(
            lines[i : next((j for j, other, _ in heads if j > i and other <= level), len(lines))]
        )
        for i, level, title in heads
    }


def anchors(name: str) -> set[str]:
    """The anchors that headings get on a code-hosting site."""
    titles = re.findall(r"^#+ (.*)$", page_text(name), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(name: str) -> list[str]:
    """The targets of a page's links and images that are not addresses on the web."""
    targets = re.findall(r"\]\(([^)\s]+)\)", page_text(name))
    return [target for target in targets if "://" not in target]
