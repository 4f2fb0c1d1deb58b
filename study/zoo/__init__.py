"""A small world of tiny language models, in which a whole study runs on a laptop in minutes."""

from __future__ import annotations

from pathlib import Path

MODELS = Path(__file__).parent / "models"
"Checkpoints, `<member>/base` and `<member>/tuned`."
TASKS = Path(__file__).parent / "lm_eval_tasks"
"Task files for lm-eval, with their items."
