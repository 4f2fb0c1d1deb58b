"""A process with vLLM, as seen from the outside.

In: the Python of vLLM's environment, a model folder, prompts as token ids. Out: the tokens of
greedy search.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from study.inference.memory import CPU_MEMORY

SERVER = Path(__file__).with_name("server.py")
MEMORY_SHARE = 0.85
"Share of the GPU memory that is free when vLLM starts, of which it may use all."


class VllmError(Exception):
    """vLLM failed or ended; the message has its reason."""


class VllmProcess:
    """A model loaded by vLLM in a process of its own; ends with this object's `close`."""

    def __init__(self, python: str, folder: str, dtype: str, max_length: int, device: Any) -> None:
        """Load the model in `folder`; VllmError if it cannot be loaded."""
        self._process = subprocess.Popen(
            [python, str(SERVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=_environment(),
        )
        arguments = {"pretrained": folder, "dtype": dtype, "max_model_len": max_length, "seed": 0}
        self._ask({**arguments, **_memory(device)})

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        lengths: Sequence[int],
        stop: Sequence[str],
        stop_tokens: Sequence[int],
    ) -> list[list[int]]:
        """Tokens of greedy search after each prompt, at most `lengths` each, to the first stop
        string or token and with it. VllmError if vLLM fails."""
        answer = self._ask(
            {
                "prompts": [list(map(int, prompt)) for prompt in prompts],
                "lengths": list(lengths),
                "stop": list(stop),
                "stop_tokens": sorted(stop_tokens),
            }
        )
        tokens: list[list[int]] = answer["tokens"]
        return tokens

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _ask(self, content: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps(content), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except OSError:
            line = ""
        answer: dict[str, Any] = json.loads(line) if line else {"error": "its process has ended"}
        if "error" in answer:
            self.close()
            raise VllmError(f"vLLM: {answer['error']}")
        return answer


def _environment() -> dict[str, str]:
    """The environment of the process: without this one's packages, network and usage reports."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return environment | {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": "WARNING",
        # In this process, not in a child of it, which would outlive it.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    }


def _memory(device: Any) -> dict[str, float]:
    """vLLM's share of the memory of the GPU, or of the computer without one."""
    if device.type != "cuda":
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return {"gpu_memory_utilization": min(1.0, CPU_MEMORY / total)}

    free, total = torch.cuda.mem_get_info(device)
    return {"gpu_memory_utilization": MEMORY_SHARE * free / total}
