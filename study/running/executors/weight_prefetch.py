"""Reads a model's files ahead of need, so that loading it finds them in memory.

In: a model's folder. Out: nothing; a thread that reads and forgets. From a network folder the
weights of a large model take minutes, while another model computes.
"""

from __future__ import annotations

import threading
from pathlib import Path

CHUNK = 2**24
SHARE = 0.5
"Of the memory that is to be had: more would push out what was read first."


def read_ahead(folder: Path) -> threading.Thread | None:
    """Begins to read the weights in a folder; None where they are too large to be kept."""
    files = sorted(folder.glob("*.safetensors"))
    size = sum(file.stat().st_size for file in files)
    if not files or size > SHARE * _available():
        return None
    thread = threading.Thread(target=_read, args=(files,), daemon=True)
    thread.start()
    return thread


def _available() -> int:
    """Bytes that can be had without swapping. What holds files read before counts, which is nearly
    all memory where models have been loaded."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(files: list[Path]) -> None:
    for file in files:
        try:
            with file.open("rb", buffering=0) as opened:
                while opened.read(CHUNK):
                    pass
        except OSError:  # whoever needs the file will say what is wrong with it
            return
