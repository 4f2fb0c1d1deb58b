"""Tuning against transformers' Trainer with padding and TRL's SFTTrainer; models side by side.

Same model, same data, same steps, loss on outputs only; side by side in one run, and the losses of
every step must agree. `python -P benchmarks/tuning.py [--gpu]`. Needs `pip install trl`.

The mixture has S1's spread of lengths: half of the rows answer directly, half write demonstrations
first, and a fifth carry a long context.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from study.config.tuning.grids import Recipe
from study.config.tuning.methods import Loss, Optimiser
from study.config.wording import ZOO
from study.planning.plan_study import planned, tune_planned
from study.tuning.data.examples import Labelled
from study.tuning.data.formats import conversation
from study.tuning.data.label_weights import label_weights
from study.tuning.data.rendering import encode
from study.tuning.data.sources import Shown
from study.tuning.training.loop import Steps, train
from study.zoo import MODELS
from study.zoo.instructions import shown_questions
from study.zoo.language import SKILLS

LOSS = Loss(over="output", normalise="token")
TOLERANCE = 2e-3


def rows(number: int, tokenizer: Any) -> list[Labelled]:
    """Rows of very unlike lengths."""
    rng, made = random.Random(0), []
    while len(made) < number:
        skill = rng.choice(list(SKILLS))
        context = rng.choice((0, 0, 0, 0, 6))
        shown = [Shown(*parts) for parts in shown_questions(skill, 3, rng, context=context)]
        format = rng.choice(("flan", "samplegen"))
        turns = conversation(shown[0], shown[1:], format, ZOO, rng)  # type: ignore[arg-type]
        row = encode(turns, tokenizer)
        if len(row.ids) <= 150:
            made.append(Labelled(row, *label_weights(row, LOSS)))
    return made


def recipe(batch: int) -> Recipe:
    optimiser = Optimiser(
        learning_rate=1e-3, batch=batch, schedule="linear", warmup=0.0, clip=1.0,
        tokens_at_once=batch * 160, checkpoint_steps=10**6,
    )  # fmt: skip
    return Recipe("bench", "bench", {}, "bench", None, "flan", LOSS, None, optimiser, None, 0,
                  "tokenizer", Path("study.yaml"))  # type: ignore[arg-type]  # fmt: skip


def model(member: str, device: str) -> Any:
    from transformers import AutoModelForCausalLM

    made = AutoModelForCausalLM.from_pretrained(MODELS / member / "base", dtype=torch.float32)
    made.config.use_cache = False
    return made.to(device)


def arguments(folder: str, batch: int, device: str, steps: int) -> dict[str, Any]:
    return {
        "output_dir": folder, "per_device_train_batch_size": batch, "max_steps": steps,
        "learning_rate": 1e-3, "lr_scheduler_type": "linear", "warmup_steps": 0,
        "max_grad_norm": 1.0, "optim": "adamw_torch", "save_strategy": "no",
        "logging_strategy": "steps", "logging_steps": 1, "report_to": "none",
        "disable_tqdm": True, "remove_unused_columns": False, "use_cpu": device == "cpu",
        "dataloader_pin_memory": False, "seed": 0,
    }  # fmt: skip


def in_order(data: list[Labelled], batch: int) -> list[dict[str, list[int]]]:
    """The rows as our trainer takes them, as token ids with labels."""
    steps = Steps(data, recipe(batch).optimiser, longest=160, pad=0, seed=0)
    return [
        {
            "input_ids": data[i].row.ids.tolist(),
            "labels": np.where(data[i].numerator > 0, data[i].row.ids, -100).tolist(),
            "completion_mask": (data[i].numerator > 0).astype(int).tolist(),
        }
        for i in steps.order
    ]


def ours(member: str, data: list[Labelled], batch: int, device: str) -> tuple[float, list[float]]:
    made = model(member, device)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        curve = train(made, data, recipe(batch), key="k", folder=Path(folder), device=device,
                      longest=160, pad=0)  # fmt: skip
        return time.perf_counter() - started, curve.losses


def padded(member: str, data: list[Labelled], batch: int, device: str) -> tuple[float, list[float]]:
    from torch.utils.data import SequentialSampler
    from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments

    from study.zoo.tokenizer import tokenizer

    class InOrder(Trainer):  # type: ignore[misc]
        def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
            return SequentialSampler(self.train_dataset)

    made, examples = model(member, device), in_order(data, batch)
    for example in examples:
        del example["completion_mask"]
    with tempfile.TemporaryDirectory() as folder:
        steps = -(-len(data) // batch)
        trainer = InOrder(
            model=made, args=TrainingArguments(**arguments(folder, batch, device, steps)),
            train_dataset=examples, data_collator=DataCollatorForSeq2Seq(tokenizer(), padding=True),
        )  # fmt: skip
        return _run(trainer)


def trl(member: str, data: list[Labelled], batch: int, device: str) -> tuple[float, list[float]]:
    import datasets
    from torch.utils.data import SequentialSampler
    from trl import SFTConfig, SFTTrainer

    from study.zoo.tokenizer import tokenizer

    class InOrder(SFTTrainer):  # type: ignore[misc]
        def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
            return SequentialSampler(self.train_dataset)

    made, examples = model(member, device), in_order(data, batch)
    for example in examples:
        del example["labels"]
    with tempfile.TemporaryDirectory() as folder:
        steps = -(-len(data) // batch)
        config = SFTConfig(
            **{**arguments(folder, batch, device, steps), "remove_unused_columns": True},
            max_length=160, completion_only_loss=True, packing=False, bf16=False,
        )  # fmt: skip
        trainer = InOrder(
            model=made,
            args=config,
            train_dataset=datasets.Dataset.from_list(examples),
            processing_class=tokenizer(),
        )
        return _run(trainer)


def _run(trainer: Any) -> tuple[float, list[float]]:
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    started = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - started
    return seconds, [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def loops(member: str, device: str, number: int, batch: int, rounds: int) -> None:
    from study.zoo.tokenizer import tokenizer

    data = rows(number, tokenizer())
    tokens = sum(len(row.row.ids) for row in data)
    lengths = np.array([len(row.row.ids) for row in data])
    print(f"{member}: {number} rows of {lengths.min()}-{lengths.max()} tokens, mean "
          f"{lengths.mean():.0f}; {tokens} tokens, {batch} rows a step, {device}")  # fmt: skip
    ways: dict[str, Callable[..., tuple[float, list[float]]]] = {
        "ours": ours, "Trainer, padded": padded, "TRL SFTTrainer": trl,
    }  # fmt: skip
    for way in ways.values():  # what is done once is not measured
        way(member, data[: 2 * batch], batch, device)
    times: dict[str, list[float]] = {name: [] for name in ways}
    curves: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            seconds, curves[name] = way(member, data, batch, device)
            times[name].append(seconds)
    best = {name: min(each) for name, each in times.items()}
    for name, seconds in best.items():
        apart = max(abs(a - b) for a, b in zip(curves[name], curves["ours"], strict=True))
        assert apart < TOLERANCE, f"{name} learns something else: losses differ by {apart}"
        times_ours = seconds / best["ours"]
        print(
            f"  {name:<16} {tokens / seconds:>9.0f} tokens/s  {times_ours:5.2f}x our time  "
            f"losses apart by {apart:.1e}"
        )


def side_by_side(models: int) -> None:
    """Tiny models two at once (a process each, one core) and one after another (both cores)."""
    pairs = [f"{family}-{when}-{size}" for family in ("llama", "neox", "olmo2")
             for when in ("early", "late") for size in ("s", "m")][:models]  # fmt: skip
    study = {
        "name": "bench", "layout": "zoo",
        "tuning": {
            "mixtures": {"m": {"sources": [{"zoo": ["reverse", "category", "addition"]}],
                               "rows": 3000}},
            "optimisers": {"o": {"learning_rate": 1e-3, "batch": 64, "epochs": 3}},
            "recipes": [{"name": "r", "bases": [{"source": "zoo", "pair": pairs}],
                         "mixture": "m", "optimiser": "o"}],
        },
        "arms": ["base-2shot", "tuned-0shot-chat"], "tasks": {"suite": "zoo_mc"},
        "contrasts": [{"name": "c", "x": "base-2shot", "y": "tuned-0shot-chat"}],
    }  # fmt: skip
    seconds, weights = {}, {}
    for name, devices in {"two at once": ["cpu", "cpu"], "one after another": ["cpu"]}.items():
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "runs" / "r"
            run.mkdir(parents=True)
            (run / "study.yaml").write_text(yaml.safe_dump(study))
            state = planned(run)
            _, events = tune_planned(state, devices)
            started = time.perf_counter()
            failed = [event.reason for event in events if event.kind == "failed"]
            seconds[name] = time.perf_counter() - started
            assert not failed, failed
            weights[name] = [_weights(tuned.folder) for tuned in state.resolved.tuned.values()]
    apart = max(
        float((a[key] - b[key]).abs().max())
        for a, b in zip(*weights.values(), strict=True)
        for key in a
    )
    assert apart < 1e-2, f"the weights differ by {apart}"
    for name, taken in seconds.items():
        print(f"  {len(pairs)} models {name:<18} {taken:6.1f} s")
    ratio = seconds["one after another"] / seconds["two at once"]
    print(f"  two at once: {ratio:.2f}x; weights apart by {apart:.1e}")


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--member", default="llama-late-l")
    chosen = parser.parse_args()
    device = "cuda" if chosen.gpu else "cpu"
    torch.set_num_threads(2 if not chosen.gpu else 8)
    loops(chosen.member, device, 1500, 50, chosen.rounds)
    if not chosen.gpu:
        side_by_side(8)


if __name__ == "__main__":
    main()
