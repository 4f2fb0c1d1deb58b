"""Changes of a text at the positions of nodes of its syntax tree."""

from __future__ import annotations

from typing import Any

Edit = tuple[int, int, str]
"First and last byte of the source that are replaced, and the text in their place."


class Source:
    """The text of a module by bytes, as `ast` counts."""

    def __init__(self, text: str) -> None:
        self.bytes = text.encode()
        self.starts = [0]
        for line in self.bytes.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def start(self, node: Any) -> int:
        """First byte of a node."""
        return int(self.starts[node.lineno - 1] + node.col_offset)

    def end(self, node: Any) -> int:
        """The byte after a node."""
        return int(self.starts[node.end_lineno - 1] + node.end_col_offset)

    def edited(self, edit: Edit) -> str:
        """The whole text after an edit."""
        first, last, text = edit
        return (self.bytes[:first] + text.encode() + self.bytes[last:]).decode()

    def lines(self, edit: Edit) -> tuple[str, str]:
        """The lines that an edit touches, before and after."""
        first, last, text = edit
        start = self.bytes.rfind(b"\n", 0, first) + 1
        end = self.bytes.find(b"\n", last) if b"\n" in self.bytes[last:] else len(self.bytes)
        before = self.bytes[start:end]
        after = self.bytes[start:first] + text.encode() + self.bytes[last:end]
        return " ".join(before.decode().split()), " ".join(after.decode().split())
