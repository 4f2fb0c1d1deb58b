"""One training in three ways: the package's, transformers' Trainer with padding, TRL's SFTTrainer.

In: rows, a zoo member, a device. Out: seconds and the loss of every step. Model, data, order of
rows, steps and optimiser are the same, and outputs alone carry loss.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import SequentialSampler
from workloads.tuning_rows import LOSS

from study.config.tuning.grids import Recipe
from study.config.tuning.methods import Optimiser
from study.tuning.data.examples import LabelledExample
from study.tuning.training.loop import train
from study.tuning.training.steps import TrainingSteps
from study.zoo import MODELS

MAX_LENGTH = 160
LEARNING_RATE = 1e-3
Curve = tuple[float, list[float]]
"Seconds, and the loss of every step."


@dataclass(frozen=True)
class Training:
    """What is trained, and on what."""

    member: str
    "Name of a pair of the zoo, whose base is trained."
    rows: list[LabelledExample]
    batch: int
    "Rows per step."
    device: str
    tokenizer: Any

    @property
    def steps(self) -> int:
        """Number of steps."""
        return -(-len(self.rows) // self.batch)

    def model(self) -> Any:
        """The base model, newly loaded."""
        from transformers import AutoModelForCausalLM

        folder = MODELS / self.member / "base"
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        model.config.use_cache = False
        return model.to(self.device)

    def recipe(self) -> Recipe:
        """A recipe with this optimiser; the mixture is not used."""
        optimiser = Optimiser(
            learning_rate=LEARNING_RATE,
            batch=self.batch,
            schedule="linear",
            warmup=0.0,
            clip=1.0,
            tokens_at_once=self.batch * MAX_LENGTH,
            checkpoint_steps=10**6,
        )
        mixture: Any = None
        return Recipe(
            name="benchmark",
            grid="benchmark",
            values={},
            mixture_name="benchmark",
            mixture=mixture,
            format="flan",
            loss=LOSS,
            indicator=None,
            optimiser=optimiser,
            adapter=None,
            seed=0,
            template="tokenizer",
            template_arguments={},
        )

    def ordered_examples(self, *columns: str) -> list[dict[str, list[int]]]:
        """The rows in the order of the package's trainer, as token ids with labels."""
        recipe = self.recipe()
        steps = TrainingSteps(self.rows, recipe.optimiser, max_length=MAX_LENGTH, pad=0, seed=0)
        rows = [self.rows[i] for i in steps.order]
        examples = [
            {
                "input_ids": row.encoded.ids.tolist(),
                "labels": np.where(row.numerator > 0, row.encoded.ids, -100).tolist(),
                "completion_mask": (row.numerator > 0).astype(int).tolist(),
            }
            for row in rows
        ]
        return [{name: example[name] for name in columns} for example in examples]

    def arguments(self, folder: str) -> dict[str, Any]:
        """Arguments of transformers' Trainer for the same training."""
        return {
            "output_dir": folder,
            "per_device_train_batch_size": self.batch,
            "max_steps": self.steps,
            "learning_rate": LEARNING_RATE,
            "lr_scheduler_type": "linear",
            "warmup_steps": 0,
            "max_grad_norm": 1.0,
            "optim": "adamw_torch",
            "save_strategy": "no",
            "logging_strategy": "steps",
            "logging_steps": 1,
            "report_to": "none",
            "disable_tqdm": True,
            "remove_unused_columns": False,
            "use_cpu": self.device == "cpu",
            "dataloader_pin_memory": False,
            "seed": 0,
        }


def train_packed(training: Training) -> Curve:
    """The package's training, on packed rows."""
    model = training.model()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        curve = train(
            model,
            training.rows,
            training.recipe(),
            key="benchmark",
            folder=Path(folder),
            device=training.device,
            max_length=MAX_LENGTH,
            pad=0,
        )
        return time.perf_counter() - start, curve.losses


def train_padded(training: Training) -> Curve:
    """transformers' Trainer, on padded rows."""
    from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments

    class OrderedTrainer(Trainer):  # type: ignore[misc]
        def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
            return SequentialSampler(self.train_dataset)

    with tempfile.TemporaryDirectory() as folder:
        trainer = OrderedTrainer(
            model=training.model(),
            args=TrainingArguments(**training.arguments(folder)),
            train_dataset=training.ordered_examples("input_ids", "labels"),
            data_collator=DataCollatorForSeq2Seq(training.tokenizer, padding=True),
        )
        return _timed_training(trainer)


def train_trl(training: Training) -> Curve:
    """TRL's SFTTrainer."""
    import datasets
    from trl import SFTConfig, SFTTrainer

    class OrderedTrainer(SFTTrainer):  # type: ignore[misc]
        def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
            return SequentialSampler(self.train_dataset)

    examples = training.ordered_examples("input_ids", "completion_mask")
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            **{**training.arguments(folder), "remove_unused_columns": True},
            max_length=MAX_LENGTH,
            completion_only_loss=True,
            packing=False,
            bf16=False,
        )
        trainer = OrderedTrainer(
            model=training.model(),
            args=config,
            train_dataset=datasets.Dataset.from_list(examples),
            processing_class=training.tokenizer,
        )
        return _timed_training(trainer)


def _timed_training(trainer: Any) -> Curve:
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    start = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - start
    return seconds, [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
