"""Queries of the model: the responses to a cell's requests, with or without thinking.

In: a loaded lm-eval model, requests, a cell. Out: the requests with their responses, and how long
the model thought. AuditError for a model that thinks where the cell does not allow for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from types import SimpleNamespace
from typing import Any

from study.models.chat_templates.thinking import begun_thinking, thinking_markers
from study.planning.cells.cell import Cell
from study.running.cells.prompts import AuditError
from study.tasks.lm_eval.types import LmEvalModel, LmEvalRequest, ThinkingResponse

BEGINNING = 16
"Tokens of a response in which a model that thinks shows it."


@dataclass
class Thinking:
    """How long the model thought before each response, by the `id` of its request."""

    responses: dict[int, list[ThinkingResponse]] = field(default_factory=dict)

    def columns(self, requests: Iterable[LmEvalRequest]) -> dict[str, list[Any]]:
        """The columns of `schema.RESPONSES` about the thinking of an item."""
        responses = [r for request in requests for r in self.responses.get(id(request), ())]
        return {
            "thinking_tokens": [response.thinking_tokens for response in responses],
            "thinking_exhausted": [response.is_exhausted for response in responses],
        }

    def summary(self) -> dict[str, Any]:
        """The thinking of a cell, for its record; empty if its arm does not think."""
        if not self.responses:
            return {}
        responses = [response for several in self.responses.values() for response in several]
        return {
            "thinking": {
                "mean_tokens": fmean(response.thinking_tokens for response in responses),
                "exhausted": sum(response.is_exhausted for response in responses),
            }
        }


def query_model(lm: LmEvalModel, requests: Sequence[LmEvalRequest], cell: Cell) -> Thinking:
    """Set the responses of all requests, one call per kind of request."""
    if cell.rendering is not None and not cell.arm.thinks:
        _check_beginning(lm, requests[0], cell)
    thinking = Thinking()
    for kind in dict.fromkeys(request.request_type for request in requests):
        same_kind = [request for request in requests if request.request_type == kind]
        repeated = [request for request in same_kind for _ in range(request.repeats or 1)]
        for request in same_kind:
            request.resps = []
        if cell.arm.thinks:
            responses = _think(lm, kind, repeated, cell, thinking)
        else:
            responses = getattr(lm, kind)(repeated, disable_tqdm=True)
        for request, response in zip(repeated, responses, strict=True):
            request.resps.append(response)
            if kind == "generate_until" and not cell.arm.thinks:
                _check_text(response, cell)
    return thinking


def _think(
    lm: LmEvalModel,
    kind: str,
    requests: Sequence[LmEvalRequest],
    cell: Cell,
    thinking: Thinking,
) -> list[str]:
    markers = thinking_markers(cell.rendering) if cell.rendering else None
    if kind != "generate_until" or markers is None:
        raise AuditError(f"{cell.arm.name} needs generated responses and a template that thinks")
    responses = lm.generate_thinking(requests, markers, cell.arm.thinking_tokens, disable_tqdm=True)
    for request, response in zip(requests, responses, strict=True):
        thinking.responses.setdefault(id(request), []).append(response)
    return [response.text for response in responses]


def _check_beginning(lm: LmEvalModel, request: LmEvalRequest, cell: Cell) -> None:
    """AuditError if the model would begin to think after a prompt whose choices are compared. Only
    models whose template knows markers of thinking are asked."""
    assert cell.rendering is not None
    if request.request_type != "loglikelihood" or thinking_markers(cell.rendering) is None:
        return
    arguments = {"until": [], "max_gen_toks": BEGINNING, "do_sample": False}
    (text,) = lm.generate_until(
        [SimpleNamespace(args=(request.args[0], arguments))], disable_tqdm=True
    )
    lm.report()  # this request is none of the cell's
    _check_text(text, cell)


def _check_text(text: str, cell: Cell) -> None:
    if cell.rendering is not None and (marker := begun_thinking(cell.rendering, text)):
        raise AuditError(
            f"the model thinks, although {cell.arm.name} does not allow for it: a response "
            f"contains {marker!r}. Switch thinking off (template_arguments), or give it a budget "
            "in a thinking arm (thinking_tokens)"
        )
