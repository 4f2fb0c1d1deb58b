"""vLLM itself, where an environment has it: the same texts as our own engine, and its failures.

`STUDY_VLLM_PYTHON=<python> pytest tests/study/inference/generation/vllm` runs these tests.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from study.errors import StudyError
from study.extras import VLLM_PYTHON, vllm_python, vllm_version
from study.inference.generation.response_end import ResponseEnd
from study.inference.generation.vllm.process import VllmError, VllmProcess
from study.inference.generation.vllm.search import search_by_vllm
from study.models.pairs import zoo
from tests.in_process import evaluate_all, plan
from tests.study.planning.cells.test_identity_factors import parts_in

needs_vllm = pytest.mark.skipif(
    VLLM_PYTHON not in os.environ, reason=f"{VLLM_PYTHON} names no environment with vLLM"
)


def replace_weights(folder: Path) -> int:
    """Random weights in the place of a zoo model's, with heads as wide as vLLM needs them; returns
    their number."""
    from transformers import AutoConfig, LlamaForCausalLM

    config = AutoConfig.from_pretrained(folder)
    config.update({"hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1})
    config.update({"head_dim": 32})
    torch.manual_seed(len(folder.name))  # base and tuned differ
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    return int(model.num_parameters())


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmProcess]:
    folder = tmp_path_factory.mktemp("models") / "model"
    shutil.copytree(zoo()[0].tuned.path, folder)
    replace_weights(folder)
    process = VllmProcess(vllm_python(), str(folder), "float32", 128, torch.device("cpu"))
    yield process
    process.close()


@needs_vllm
def test_responses_end_by_our_rule(process: VllmProcess) -> None:
    prompts = [[1, 10 + i, 20, 30] for i in range(5)]
    whole: list[list[int]] = [[] for _ in prompts]
    rounds: list[int] = []
    unlimited = ResponseEnd(20, frozenset(), (), str)
    search_by_vllm(process, prompts, whole, unlimited, on_finished=rounds.append)
    assert [len(tokens) for tokens in whole] == [20] * 5
    assert rounds == [0, 5]
    last = whole[2][7]
    stopped: list[list[int]] = [tokens[:2] for tokens in whole]  # resumed after two tokens
    search_by_vllm(process, prompts, stopped, ResponseEnd(12, frozenset({last}), (), str))
    for tokens, all_tokens in zip(stopped, whole, strict=True):
        end = all_tokens.index(last) + 1 if last in all_tokens[:12] else 12
        assert tokens == all_tokens[: max(end, 2)]


@needs_vllm
def test_a_model_that_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(VllmError, match="vLLM: "):
        VllmProcess(vllm_python(), str(tmp_path), "float32", 128, torch.device("cpu"))


@needs_vllm
def test_a_study_by_vllm_has_the_texts_of_our_engine(tmp_path: Path) -> None:
    """Keys of texts differ, the texts do not; choices are compared by our engine, with its keys."""
    runs, cells = {}, {}
    for engine in ("shared-prefix", "vllm"):
        parts = parts_in(tmp_path / engine)
        parts.study["engine"] = engine
        for role in ("base", "tuned"):
            size = replace_weights(parts.folder / "models" / role)
        parts.study["pairs"][0]["params_b"] = size / 1e9
        folder = parts.write()
        for job in plan(folder).plan.jobs:
            for cell in job.cells:
                cells[engine, cell.arm.name, cell.task.task] = cell
        runs[engine] = evaluate_all(folder)
    for (engine, arm, task), theirs in cells.items():
        if engine == "shared-prefix":
            continue
        ours = cells["shared-prefix", arm, task]
        assert (ours.responses == theirs.responses) is (task != "own_text")
        if task == "own_text":
            texts = [
                runs[name].responses.items(str(cell.responses), ["texts"]).to_pylist()
                for name, cell in (("shared-prefix", ours), ("vllm", theirs))
            ]
            assert texts[0] == texts[1]
            record = runs["vllm"].responses.record(str(theirs.responses))
            assert record["identity"]["model"]["engine"] == f"vllm {vllm_version(vllm_python())}"
            assert record["vllm_parity"]["equal_tokens"] == record["vllm_parity"]["tokens"] > 0
            assert record["scoring"]["generator"] == "vllm"


def test_without_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VLLM_PYTHON, raising=False)
    if vllm_python() == sys.executable and _has_vllm():
        pytest.skip("vLLM is installed here")
    with pytest.raises(StudyError, match=f"engine: vllm: found no vLLM.*{VLLM_PYTHON}"):
        vllm_version(vllm_python())


def test_a_python_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=VLLM_PYTHON):
        vllm_version(str(tmp_path / "python"))


def _has_vllm() -> bool:
    from importlib.util import find_spec

    return find_spec("vllm") is not None
