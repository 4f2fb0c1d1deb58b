"""Scoring a cell from its stored responses, without a model.

In: a cell whose responses are in the store. Out: its scores, committed under the cell's key.

Everything that decides a task's own metric is lm-eval's: `apply_filters`, `process_results`, the
metric's aggregation. They are given the responses as if a model had just returned them.
"""

from __future__ import annotations

import math
import time
from typing import Any

import pyarrow as pa

from study.planning.cells.cell import Cell
from study.results.cell_store.choices import choices_of
from study.results.identity import check_unchanged
from study.results.provenance import source, versions
from study.results.run import Run
from study.running.cells.prompts import AuditError
from study.running.cells.task_cache import TaskCache
from study.scorers.task_metric import metric_and_filter, standard_error
from study.tasks.items import Document
from study.tasks.lm_eval.types import LmEvalRequest, LmEvalTask


def score_cell(run: Run, tasks: TaskCache, cell: Cell) -> int:
    """Score and commit a cell; returns the number of its items.

    AuditError if the responses are not those of the task's items, or the score is not a number.
    """
    started = time.perf_counter()
    assert cell.key is not None
    assert cell.responses is not None
    assert cell.identity is not None
    task, items = tasks.prompted(cell)
    planned = cell.identity["responses"]["prompts"]["task"]
    check_unchanged("the task's documents", items.documents, planned["documents"])
    if configuration := cell.identity["scorer"].get("configuration"):
        check_unchanged("how the task is scored", items.scoring_configuration, configuration)
    responses = run.responses.items(cell.responses)
    documents = items.evaluated(run.study.limit)
    if responses["item"].to_pylist() != [document.index for document in documents]:
        raise AuditError("the stored responses are not those of the task's items")
    results, values = _scores(task, documents, responses, cell)
    summary = tasks.response_summary(cell, documents, responses)
    record = {
        **run.responses.record(cell.responses),
        "key": cell.key,
        "responses": cell.responses,
        "identity": cell.identity,
        "metric": cell.task.metric,
        **results,
        "written": summary,
        "scored": {
            "versions": versions(),
            "source": source(),
            "seconds": time.perf_counter() - started,
        },
    }
    choices = choices_of(responses, cell.task.metric)
    rows = [
        {
            "item": document.index,
            "score": float(value) if isinstance(value, int | float) else None,
            "choice": None if choices is None else int(choices[number]),
        }
        for number, (document, value) in enumerate(zip(documents, values, strict=True))
    ]
    run.cells.write(cell.key, record, rows)
    return len(rows)


def _scores(
    task: LmEvalTask, documents: tuple[Document, ...], responses: pa.Table, cell: Cell
) -> tuple[dict[str, Any], list[Any]]:
    """The score with its standard error, and the metric's value of each item."""
    requests = [
        _requests(task, document, row, cell)
        for document, row in zip(documents, responses.to_pylist(), strict=True)
    ]
    task._instances = [request for item_requests in requests for request in item_requests]
    task.apply_filters()
    filters = requests[0][0].filtered_resps
    try:
        metric, filter_name = metric_and_filter(cell.task.metric, filters)
    except ValueError as error:
        raise AuditError(str(error)) from None
    values = []
    for document, item_requests in zip(documents, requests, strict=True):
        filtered = [request.filtered_resps[filter_name] for request in item_requests]
        scores = task.process_results(document.raw, filtered)
        if metric not in scores:
            raise AuditError(f"no metric {metric!r}; the task gives {', '.join(scores)}")
        values.append(scores[metric])
    scale = cell.task.scale
    score = float(task.aggregation()[metric](values)) * scale
    if not math.isfinite(score):
        raise AuditError(f"{metric} is {score}")
    return {"score": score, "stderr": standard_error(task, metric, values, scale)}, values


def _requests(
    task: LmEvalTask, document: Document, row: dict[str, Any], cell: Cell
) -> list[LmEvalRequest]:
    """lm-eval's requests of an item with their stored responses."""
    from lm_eval.api.instance import Instance

    if task.OUTPUT_TYPE == "generate_until":
        given: list[list[Any]] = [row["texts"]]
    elif row["greedy"]:
        given = [[response] for response in zip(row["logprobs"], row["greedy"], strict=True)]
    else:
        given = [[logprob] for logprob in row["logprobs"]]
    requests: list[LmEvalRequest] = []
    for index, resps in enumerate(given):
        request = Instance(
            request_type="loglikelihood"
            if task.OUTPUT_TYPE == "multiple_choice"
            else task.OUTPUT_TYPE,
            doc=document.raw,
            arguments=(),
            idx=index,
            metadata=(cell.task.task, document.index, task.config.repeats),
        )
        request.resps = list(resps)
        requests.append(request)
    return requests
