"""Reading a model's files into the page cache before it is loaded.

In: a model's folder. Out: a thread that reads the files and discards them. From a network folder,
the weights of a large model take minutes to read; meanwhile another model computes.
"""

from __future__ import annotations

import threading
from pathlib import Path

CHUNK_BYTES = 2**24
MEMORY_SHARE = 0.5
"Of the available memory; reading more would evict what was read first."


def prefetch_weights(folder: Path) -> threading.Thread | None:
    """Begin to read the weights in a folder; None if memory cannot hold them."""
    files = sorted(folder.glob("*.safetensors"))
    size = sum(file.stat().st_size for file in files)
    if not files or size > MEMORY_SHARE * _available_bytes():
        return None
    thread = threading.Thread(target=_read, args=(files,), daemon=True)
    thread.start()
    return thread


def _available_bytes() -> int:
    """Memory available without swapping. It includes the page cache, which is nearly all memory
    once models have been loaded."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(files: list[Path]) -> None:
    for file in files:
        try:
            with file.open("rb", buffering=0) as stream:
                while stream.read(CHUNK_BYTES):
                    pass
        except OSError:  # loading the model will report what is wrong with the file
            return
