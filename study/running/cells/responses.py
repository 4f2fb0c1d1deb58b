"""One cell computed: prompts answered by a model, scored by lm-eval's task.

In: a loaded lm-eval model, a task with items, prompts, a cell. Out: the cell's record and items.

Everything that decides the number is lm-eval's own: `apply_filters`, `process_results`, the
metric's aggregation. What is ours is the audit: <bos> counted in the token ids, and prompts longer
than the window said.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

from study.planning.cells import Cell
from study.running.cells.prompts import AuditError, Prompts
from study.tasks.items import Document
from study.tasks.truncation import room


def answer(
    lm: Any, task: Any, documents: tuple[Document, ...], prompts: Prompts, cell: Cell
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Asks the model; returns the cell's results (score, stderr, audit) and its items."""
    requests = [request for of_item in prompts.requests for request in of_item]
    audit = check_tokens(lm, requests, cell, room(lm.max_length, task))
    for document, of_item, shots in zip(documents, prompts.requests, prompts.shots, strict=True):
        if shots and any(id(request) in audit["too_long"] for request in of_item):
            raise AuditError(f"item {document.place}: no room for its {shots} demonstrations")
    _respond(lm, requests)
    task._instances = requests
    task.apply_filters()
    metric, filter_name = metric_and_filter(cell.task.metric, requests[0].filtered_resps)
    values, rows = [], []
    for document, of_item, shots in zip(documents, prompts.requests, prompts.shots, strict=True):
        responses = [request.filtered_resps[filter_name] for request in of_item]
        scored = task.process_results(document.raw, responses)
        if metric not in scored:
            raise AuditError(f"no metric {metric!r}; the task gives {', '.join(scored)}")
        values.append(scored[metric])
        truncated = any(id(request) in audit["too_long"] for request in of_item)
        rows.append(_item_row(document, of_item, scored[metric], shots, truncated))
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
        "first_token_ids": audit["first_token_ids"],
        "bos_count": audit["bos_count"],
        "longest_tokens": audit["longest"],
        "tokens": audit["tokens"],
    }
    return results, rows


def _respond(lm: Any, requests: list[Any]) -> None:
    for kind in dict.fromkeys(request.request_type for request in requests):
        asked = [request for request in requests if request.request_type == kind]
        repeated = [request for request in asked for _ in range(request.repeats or 1)]
        for request in asked:
            request.resps = []
        responses = getattr(lm, kind)(repeated, disable_tqdm=True)
        for request, response in zip(repeated, responses, strict=True):
            request.resps.append(response)


def check_tokens(lm: Any, requests: list[Any], cell: Cell, most: int) -> dict[str, Any]:
    """Counts tokens and <bos> of every prompt as the model reads it; AuditError on a wrong count.

    A tokenizer that puts <bos> in front of plain text must put exactly one there, and one that does
    not must not find two in a template.
    """
    contexts = list(dict.fromkeys(request.args[0] for request in requests))
    ids = dict(zip(contexts, lm.encoded(contexts), strict=True))
    if "" in ids:
        ids[""] = [lm.prefix_token_id]
    answers = sorted({request.args[1] for request in requests if _is_scored(request)})
    sizes = dict(zip(answers, _sizes(lm.tokenizer, answers), strict=True))
    bos = lm.tokenizer.bos_token_id
    adds = bos is not None and lm.tokenizer("a").input_ids[:1] == [bos]
    counts = {_leading(token_ids, bos) for token_ids in ids.values()}
    if bos is not None and (max(counts) > 1 or (adds and min(counts) == 0)):
        wanted = "one" if adds else "one at most"
        raise AuditError(
            f"prompts of {cell.arm.name} begin with {sorted(counts)} <bos>, not {wanted}"
        )
    too_long, longest, tokens = set(), 0, 0
    for request in requests:
        length = len(ids[request.args[0]])
        if _is_scored(request):
            length += sizes[request.args[1]]
        longest, tokens = max(longest, length), tokens + length
        if length > most:
            too_long.add(id(request))
    return {
        "too_long": too_long,
        "first_token_ids": ids[contexts[0]][:8],
        "bos_count": max(counts),
        "longest": longest,
        "tokens": tokens,
    }


def _is_scored(request: Any) -> bool:
    return bool(request.request_type == "loglikelihood")


def _sizes(tokenizer: Any, texts: list[str]) -> list[int]:
    return (
        [len(ids) for ids in tokenizer(texts, add_special_tokens=False).input_ids] if texts else []
    )


def _leading(token_ids: list[int], bos: int | None) -> int:
    count = 0
    while count < len(token_ids) and token_ids[count] == bos:
        count += 1
    return count


def metric_and_filter(metric: str, filtered: dict[str, Any]) -> tuple[str, str]:
    """`acc` or `exact_match,strict-match` parted; where there are filters, one must be named."""
    name, _, wanted = metric.partition(",")
    if wanted and wanted not in filtered:
        raise AuditError(f"no filter {wanted!r}; the task has {', '.join(filtered)}")
    if not wanted and len(filtered) > 1:
        raise AuditError(f"{metric!r} names no filter; the task has {', '.join(filtered)}")
    return name, wanted or next(iter(filtered))


def standard_error(task: Any, metric: str, values: list[Any], scale: float) -> float | None:
    """lm-eval's standard error of the metric, scaled: over the sampling of items alone."""
    from lm_eval.api.metrics import stderr_for_metric

    estimator = stderr_for_metric(task.aggregation()[metric], bootstrap_iters=1000)
    return float(estimator(values)) * scale if estimator and len(values) > 1 else None


def _item_row(
    document: Document, requests: tuple[Any, ...], score: Any, shots: int, truncated: bool
) -> dict[str, Any]:
    scored = _is_scored(requests[0])
    first = requests[0].resps[0]
    prompt = "\n".join(dict.fromkeys(str(request.args[0]) for request in requests))
    return {
        "item": document.place,
        "gold": document.target,
        "score": float(score) if isinstance(score, int | float) else None,
        "logprobs": [float(request.resps[0][0]) for request in requests] if scored else [],
        "lengths": [len(request.args[1]) for request in requests] if scored else [],
        "text": None if scored else str(first),
        "prompt_hash": hashlib.sha256(prompt.encode()).hexdigest(),
        "shots": shots,
        "truncated": truncated,
    }
