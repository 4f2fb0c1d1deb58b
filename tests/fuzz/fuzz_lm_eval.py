"""Folders of lm-eval's results: JSON, lines and files changed at random, read by `study import`.

An accepted folder is judged by a reader that shares no code with the study's: scores, errors,
counts and items are those of the files, and the mean of the items is the score.
"""

from __future__ import annotations

import copy
import json
import math
import shutil
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd

from study.cli.result_commands import import_scores
from study.results.imported import Imported
from study.results.run import Run
from tests.fuzz.fuzzer import Fuzzer, Mutant
from tests.fuzz.mutations import as_json, changed_bytes, changed_content

STUDY = """
name: published
contrasts: [{name: in-context, x: base-5shot, y: tuned-0shot-chat}]
tasks:
  - {task: reading, task_type: r, metric: "f1,strict", chance: 0, scale: 0.01, passage: text}
"""
BASE, TUNED = "meta-llama/Llama-3.2-1B", "meta-llama/Llama-3.2-1B-Instruct"
DATE = "2026-01-01T00-00-00"
OUT = "out"
N_ITEMS = 4
RANGES = {"arc_challenge": ("acc_norm,none", 1.0), "reading": ("f1,strict", 0.01)}
"By task, the key of its metric and the factor that makes a fraction of it."


class LmEvalFuzzer(Fuzzer):
    """Folders of results and samples for `study import`."""

    name = "lm_eval"

    def prepare(self, folder: Path) -> None:
        (folder / "study.yaml").write_text(STUDY)
        for name, content in _files().items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(_encoded(content))

    def mutant(self, random: Random) -> Mutant:
        files = _files()
        name = random.choice(list(files))
        kind = random.random()
        if kind < 0.25:
            data, change, invalid = changed_bytes(_encoded(files[name]), random)
            return Mutant(f"{name}: {change}", {name: data}, invalid=invalid)
        if kind < 0.5:
            change = random.choice(CHANGES)
            return change(files, random)
        content, change = changed_content(files[name], random)
        return Mutant(f"{name}: {change}", {name: _encoded(content)})

    def read(self, folder: Path, mutant: Mutant) -> None:
        shutil.rmtree(folder / "results", ignore_errors=True)
        loop = folder / OUT / "loop"
        if mutant.content == "loop":
            loop.symlink_to(folder / OUT, target_is_directory=True)
        try:
            import_scores(folder, [folder / OUT])
        finally:
            loop.unlink(missing_ok=True)
        (imported,) = Run.open(folder).imports
        _check_rows(folder / OUT, imported)


def _files() -> dict[str, Any]:
    """Two models, two tasks, items of each: results as mappings, samples as lists."""
    files: dict[str, Any] = {}
    for model, shots in ((BASE, 5), (TUNED, 0)):
        folder = f"{OUT}/{model.replace('/', '__')}"
        scores = {"arc_challenge": 0.0, "reading": 0.0}
        for task in scores:
            samples = [_sample(task, item, item + shots) for item in range(N_ITEMS)]
            key = RANGES[task][0].split(",")[0]
            scores[task] = sum(s[key] for s in samples if s["filter"] != "loose") / N_ITEMS
            if task == "reading":
                samples += [{**sample, "filter": "loose", "f1": 1.0} for sample in samples]
            files[f"{folder}/samples_{task}_{DATE}.jsonl"] = samples
        files[f"{folder}/results_{DATE}.json"] = _results(model, shots, scores)
    return files


def _sample(task: str, item: int, seed: int) -> dict[str, Any]:
    if task == "reading":
        return {
            "doc_id": item, "doc": {"text": f"passage {item // 2}", "question": "?"}, "target": "a",
            "resps": [[f"answer {seed}"]], "filter": "strict", "f1": 25.0 * (seed % 5),
        }  # fmt: skip
    return {
        "doc_id": item, "doc": {"question": "?", "choices": ["a", "b"]}, "target": "0",
        "arguments": {f"gen_args_{i}": {"arg_0": "q", "arg_1": "x" * (i + 1)} for i in range(2)},
        "resps": [[["-1.5", "False"]], [[f"-{seed}.25", "True"]]], "filter": "none",
        "acc": 1.0, "acc_norm": float(seed % 2),
    }  # fmt: skip


def _results(model: str, shots: int, scores: dict[str, float]) -> dict[str, Any]:
    return {
        "results": {
            "arc_challenge": {
                "alias": "arc_challenge", "acc,none": 1.0, "acc_stderr,none": 0.0,
                "acc_norm,none": scores["arc_challenge"], "acc_norm_stderr,none": 0.25,
            },
            "reading": {
                "alias": "reading", "f1,strict": scores["reading"], "f1_stderr,strict": "N/A",
                "f1,loose": 1.0, "f1_stderr,loose": 12.5,
            },
            "all": {"alias": "all", "acc,none": 1.0},
        },
        "group_subtasks": {"all": ["arc_challenge", "reading"], "reading": []},
        "configs": {"arc_challenge": {"task": "arc_challenge", "num_fewshot": shots}},
        "n-shot": {"arc_challenge": shots, "reading": shots},
        "higher_is_better": {
            "arc_challenge": {"acc": True, "acc_norm": True}, "reading": {"f1": None},
        },
        "n-samples": {
            "arc_challenge": {"original": 1172, "effective": N_ITEMS},
            "reading": {"original": 100, "effective": N_ITEMS},
        },
        "config": {
            "model": "hf", "limit": float(N_ITEMS), "batch_sizes": [],
            "model_args": {"pretrained": model, "revision": "main", "dtype": "bfloat16"},
        },
        "git_hash": None, "lm_eval_version": "0.4.13", "model_name": model,
        "model_name_sanitized": model.replace("/", "__"), "fewshot_as_multiturn": True,
        "chat_template": None if model == BASE else "{{ messages }}",
    }  # fmt: skip


def _encoded(content: Any) -> bytes:
    if not isinstance(content, list):
        return as_json(content)
    return b"".join(as_json(sample) + b"\n" for sample in content)


def _change_score(files: dict[str, Any], random: Random) -> Mutant:
    """A score that its items contradict, by little or by much."""
    name = random.choice([name for name in files if "/results_" in name])
    task = random.choice(list(RANGES))
    key, scale = RANGES[task]
    step = random.choice((1, -1)) * random.choice((1e-5, 0.01, 0.25)) / scale
    files[name]["results"][task][key] += step
    return Mutant(f"{task} {step:+}", {name: _encoded(files[name])}, invalid=True)


def _change_items(files: dict[str, Any], random: Random) -> Mutant:
    """An item missing, twice, or with another number."""
    name = random.choice([name for name in files if "/samples_" in name])
    samples = files[name]
    index = random.randrange(N_ITEMS)
    change = random.choice(("missing", "twice", "renumbered", "other score"))
    if change == "missing":
        del samples[index]
    elif change == "twice":
        samples.insert(random.randrange(len(samples)), copy.deepcopy(samples[index]))
    elif change == "renumbered":
        samples[index]["doc_id"] = samples[index - 1]["doc_id"]
    else:
        key = "f1" if "f1" in samples[index] else "acc_norm"
        samples[index][key] = 0.5 if key == "acc_norm" else 33.0
    return Mutant(f"{name}: item {change}", {name: _encoded(samples)}, invalid=True)


def _rename_file(files: dict[str, Any], random: Random) -> Mutant:
    name = random.choice(list(files))
    other = (
        f"{Path(name).parent}/{random.choice(('', 'sub/'))}{random.choice(('results_', 'x_', ''))}"
    )
    other += random.choice((Path(name).name, "a.json", "results_b.json", "\x1b[31m.json"))
    return Mutant(f"{name} moved to {other!r}", {name: None, other: _encoded(files[name])})


def _copy_file(files: dict[str, Any], random: Random) -> Mutant:
    """Results of one model twice, or of one model in the folder of the other."""
    name = random.choice([name for name in files if "/results_" in name])
    copied = f"{OUT}/{random.choice(('a', '.', 'b/c'))}/results_again.json"
    return Mutant(f"{name} twice", {copied: _encoded(files[name])}, invalid=True)


def _other_model(files: dict[str, Any], random: Random) -> Mutant:
    name = random.choice([name for name in files if "/results_" in name])
    model = random.choice(
        ("me/mine", "", "..", "/", "/abs", "a/../b", BASE, TUNED, "x" * 5000, "\x00", "\ud800",
         "meta-llama/Llama-3.2-3B", f"pretrained={BASE}")
    )  # fmt: skip
    content = files[name]
    content["model_name"] = model
    content["config"]["model_args"] = random.choice(
        (
            None,
            model,
            f"pretrained={model}",
            {"pretrained": model},
            {"pretrained": BASE, "peft": model},
            f"pretrained={BASE},delta={model}",
        )
    )
    return Mutant(f"{name}: model {model[:20]!r}", {name: _encoded(content)})


def _loop(files: dict[str, Any], random: Random) -> Mutant:
    return Mutant("a loop of folders", {}, content="loop")


def _empty(files: dict[str, Any], random: Random) -> Mutant:
    names = random.sample(list(files), random.choice((1, 3, len(files))))
    content = random.choice((None, b"", b"\n", b"{}", b"null", b"[]", b"NaN"))
    return Mutant(f"{len(names)} files {content!r}", dict.fromkeys(names, content))


CHANGES = (
    *[_change_score] * 3,
    *[_change_items] * 3,
    _rename_file,
    _copy_file,
    *[_other_model] * 2,
    _loop,
    _empty,
)


def _check_rows(folder: Path, imported: Imported) -> None:
    """Every row is what one results file says, and its items are those beside it."""
    contents = {path: _plain_json(path) for path in folder.rglob("results_*.json")}
    rows = imported.rows.to_dict("records")
    for number, row in enumerate(rows):
        path = next(path for path, content in contents.items() if _says(content, row))
        task = str(row["task"])
        key, scale = RANGES[task]
        items = imported.items.get(str(number))
        samples = path.with_name(f"samples_{task}_{path.stem.removeprefix('results_')}.jsonl")
        if items is None:
            assert not samples.exists() or "[" in samples.read_text(), "items were not read"
            continue
        logged = _logged(samples, *key.split(","))
        assert dict(zip(items["item"], items["score"], strict=True)) == {
            item: score * scale for item, score in logged.items()
        }
        mean = math.fsum(items["score"]) / len(items["score"])
        assert abs(mean - row["score"]) <= 1e-6, (mean, row["score"])
        assert len(items["item"]) == len(set(items["item"])) == row["n_items"]
    assert len({(row["pair"], row["role"], row["arm"], row["task"]) for row in rows}) == len(rows)


def _plain_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_bytes().decode("utf-8-sig"))
    return content


def _says(content: dict[str, Any], row: dict[Any, Any]) -> bool:
    """Whether a results file says what a row does."""
    task = row["task"]
    result = content["results"].get(task)
    if result is None or content.get("model_name") not in (row["model"], None, ""):
        return False
    key, scale = RANGES[task]
    score, stderr = result[key], result.get(key.replace(",", "_stderr,"))
    shots = content["n-shot"][task] or 0
    counts = (content.get("n-samples") or {}).get(task) or {}
    n_items = counts.get("effective")
    assert type(score) in (int, float)
    assert type(shots) in (int, float)
    return (
        score * scale == row["score"]
        and 0 <= row["score"] <= 1
        and (
            pd.isna(row["stderr"])
            if stderr in (None, "N/A")
            else stderr * scale == row["stderr"] >= 0
        )
        and (n_items is None or row["n_items"] == n_items >= 1)
        and row["arm"].startswith(f"{row['role']}-{int(shots)}shot")
        and ("chat" in row["arm"]) == bool(content.get("chat_template"))
        and row["model"].isprintable()
    )


def _logged(path: Path, metric: str, wanted: str) -> dict[int, float]:
    scores: dict[int, float] = {}
    for line in path.read_bytes().split(b"\n"):
        if line.strip():
            sample = json.loads(line.decode("utf-8-sig"))
            if sample.get("filter") in (wanted, None, ""):
                assert sample["doc_id"] not in scores
                scores[sample["doc_id"]] = float(sample[metric])
    return scores
