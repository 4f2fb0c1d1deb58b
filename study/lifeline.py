"""Processes that end with the one that started them, however it went.

In: nothing. Out: a thread in the calling process. A killed parent cannot tell its children; without
this they would go on computing and writing.
"""

from __future__ import annotations

import os
import threading
import time

CHECKED_SECONDS = 0.5


def end_with_parent() -> None:
    """Ends this process when its present parent is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(CHECKED_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
