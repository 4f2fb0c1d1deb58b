"""A model's responses to a cell's prompts, audited and scored by lm-eval's task.

In: a loaded lm-eval model, a task with items, prompts, a cell. Out: the cell's results and items.

Everything that decides the number is lm-eval's own: `apply_filters`, `process_results`, the
metric's aggregation. Ours is the audit: <bos> counted in the token ids, and prompts that exceed the
context window.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

from study.planning.cells.cell import Cell
from study.running.cells.prompts import AuditError, Prompts
from study.scorers.task_metric import metric_and_filter, standard_error
from study.tasks.items import Document
from study.tasks.lm_eval.types import LmEvalModel, LmEvalRequest, LmEvalTask
from study.tasks.truncation import prompt_limit

RECORDED_TOKENS = 8
"Token ids of the first prompt that are part of the record."


@dataclass(frozen=True)
class TokenAudit:
    """Tokens of a cell's requests as the model reads them."""

    too_long: frozenset[int]
    "`id` of requests that exceed the context window."
    first_token_ids: list[int]
    bos_count: int
    longest: int
    "Tokens of the longest request."
    tokens: int
    "Tokens of all requests."


def evaluate(
    lm: LmEvalModel,
    task: LmEvalTask,
    documents: tuple[Document, ...],
    prompts: Prompts,
    cell: Cell,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Query the model; returns the cell's results (score, stderr, audit) and its items."""
    requests = [request for item_requests in prompts.requests for request in item_requests]
    audit = audit_tokens(lm, requests, cell, prompt_limit(lm.max_length, task))
    items = list(zip(documents, prompts.requests, prompts.shots, strict=True))
    for document, item_requests, shots in items:
        if shots and any(id(request) in audit.too_long for request in item_requests):
            raise AuditError(
                f"item {document.index}: its {shots} demonstrations exceed the context window"
            )
    _query(lm, requests)
    task._instances = requests
    task.apply_filters()
    try:
        metric, filter_name = metric_and_filter(cell.task.metric, requests[0].filtered_resps)
    except ValueError as error:
        raise AuditError(str(error)) from None
    values, rows = [], []
    for document, item_requests, shots in items:
        responses = [request.filtered_resps[filter_name] for request in item_requests]
        scores = task.process_results(document.raw, responses)
        if metric not in scores:
            raise AuditError(f"no metric {metric!r}; the task gives {', '.join(scores)}")
        values.append(scores[metric])
        truncated = any(id(request) in audit.too_long for request in item_requests)
        rows.append(_item_row(document, item_requests, scores[metric], shots, truncated))
    scale = cell.task.scale
    score = float(task.aggregation()[metric](values)) * scale
    if not math.isfinite(score):
        raise AuditError(f"{metric} is {score}")
    results = {
        "score": score,
        "stderr": standard_error(task, metric, values, scale),
        "n_items": len(values),
        "effective_shots": {"least": min(prompts.shots), "most": max(prompts.shots)},
        "truncated_items": sum(row["truncated"] for row in rows),
        "first_token_ids": audit.first_token_ids,
        "bos_count": audit.bos_count,
        "longest_tokens": audit.longest,
        "tokens": audit.tokens,
    }
    return results, rows


def _query(lm: LmEvalModel, requests: list[LmEvalRequest]) -> None:
    """Set the responses of all requests, one call per kind of request."""
    for kind in dict.fromkeys(request.request_type for request in requests):
        same_kind = [request for request in requests if request.request_type == kind]
        repeated = [request for request in same_kind for _ in range(request.repeats or 1)]
        for request in same_kind:
            request.resps = []
        responses = getattr(lm, kind)(repeated, disable_tqdm=True)
        for request, response in zip(repeated, responses, strict=True):
            request.resps.append(response)


def audit_tokens(
    lm: LmEvalModel, requests: list[LmEvalRequest], cell: Cell, limit: int
) -> TokenAudit:
    """Count tokens and <bos> of every prompt as the model reads it; AuditError for a wrong count.

    With a tokenizer that puts <bos> before plain text, every prompt must have exactly one; with
    another, a chat template must not produce two.
    """
    contexts = list(dict.fromkeys(request.args[0] for request in requests))
    ids = dict(zip(contexts, lm.encoded(contexts), strict=True))
    if "" in ids:
        ids[""] = [lm.prefix_token_id]
    answers = sorted({request.args[1] for request in requests if _is_scored(request)})
    sizes = dict(zip(answers, _token_counts(lm.tokenizer, answers), strict=True))
    bos = lm.tokenizer.bos_token_id
    adds_bos = bos is not None and lm.tokenizer("a").input_ids[:1] == [bos]
    counts = {_leading(token_ids, bos) for token_ids in ids.values()}
    if bos is not None and (max(counts) > 1 or (adds_bos and min(counts) == 0)):
        wanted = "one" if adds_bos else "one at most"
        raise AuditError(
            f"prompts of {cell.arm.name} begin with {sorted(counts)} <bos>, not {wanted}"
        )
    too_long, longest, tokens = set(), 0, 0
    for request in requests:
        length = len(ids[request.args[0]])
        if _is_scored(request):
            length += sizes[request.args[1]]
        longest, tokens = max(longest, length), tokens + length
        if length > limit:
            too_long.add(id(request))
    first = ids[contexts[0]][:RECORDED_TOKENS]
    return TokenAudit(frozenset(too_long), first, max(counts), longest, tokens)


def _is_scored(request: LmEvalRequest) -> bool:
    return bool(request.request_type == "loglikelihood")


def _token_counts(tokenizer: Any, texts: list[str]) -> list[int]:
    if not texts:
        return []
    return [len(ids) for ids in tokenizer(texts, add_special_tokens=False).input_ids]


def _leading(token_ids: list[int], bos: int | None) -> int:
    """How many <bos> the ids begin with."""
    count = 0
    while count < len(token_ids) and token_ids[count] == bos:
        count += 1
    return count


def _item_row(
    document: Document,
    requests: tuple[LmEvalRequest, ...],
    score: Any,
    shots: int,
    truncated: bool,
) -> dict[str, Any]:
    """A row with the columns of `schema.ITEMS`."""
    scored = _is_scored(requests[0])
    prompt = "\n".join(dict.fromkeys(str(request.args[0]) for request in requests))
    return {
        "item": document.index,
        "gold": document.target,
        "score": float(score) if isinstance(score, int | float) else None,
        "logprobs": [float(request.resps[0][0]) for request in requests] if scored else [],
        "lengths": [len(request.args[1]) for request in requests] if scored else [],
        "text": None if scored else str(requests[0].resps[0]),
        "prompt_hash": hashlib.sha256(prompt.encode()).hexdigest(),
        "shots": shots,
        "truncated": truncated,
    }
