"""The markers with which published models separate their thinking from their answer.

Out: `MARKERS`; `study.models.chat_templates.thinking` finds those of a template.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ThinkingMarkers:
    """The text around a model's thinking."""

    opening: str
    closing: str
    forced: str
    "What is appended when the budget is exhausted: the closing marker as the model writes it."

    def identity(self) -> dict[str, str]:
        """All parts as JSON."""
        return {"opening": self.opening, "closing": self.closing, "forced": self.forced}


def _tags(opening: str, closing: str) -> ThinkingMarkers:
    return ThinkingMarkers(opening, closing, f"\n{closing}\n\n")


HARMONY = ThinkingMarkers(
    "<|channel|>analysis<|message|>",
    "<|channel|>final<|message|>",
    "<|end|><|start|>assistant<|channel|>final<|message|>",
)
"gpt-oss: thinking and answer are messages of their own, in channels that the prompt names."
MARKERS = (
    HARMONY,
    _tags("<think>", "</think>"),  # most models
    _tags("<thinking>", "</thinking>"),
    _tags("<thought>", "</thought>"),  # EXAONE Deep
    _tags("<seed:think>", "</seed:think>"),  # Seed-OSS
    _tags("[THINK]", "[/THINK]"),  # Magistral
    _tags("◁think▷", "◁/think▷"),  # Kimi
    _tags("<|channel>thought", "<channel|>"),  # Gemma 4
    _tags("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A Reasoning
    _tags("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    _tags("<|begin_of_thought|>", "<|end_of_thought|>"),  # Sky-T1
    _tags("Here is my thought process:", "Here is my response:"),  # Granite 3.2
    _tags("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),  # Apriel Thinker
)
"Markers of published models; those of a template are the first that occur in it."
