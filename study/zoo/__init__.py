"""The zoo: tiny language models of a synthetic language, on which a study runs in minutes.

language -> skills -> corpus -> members -> training -> build; the tasks, the tokenizer, and a cipher
of the language beside them.
"""

from __future__ import annotations

from pathlib import Path

MODELS = Path(__file__).parent / "models"
"Checkpoints, `<member>/base` and `<member>/tuned`."
TASKS = Path(__file__).parent / "lm_eval_tasks"
"Task files for lm-eval, with their items."
