"""A model's responses to a cell's prompts, audited.

In: a loaded lm-eval model, a task with items, prompts, a cell. Out: what the model gave for each
item, and the audit: <bos> counted in the token ids, and prompts that exceed the context window.
Nothing is scored here: responses are committed first.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from study.models.chat_templates.thinking import reserved_tokens
from study.planning.cells.cell import Cell
from study.results.schema import RESPONSES
from study.running.cells.prompts import AuditError, Prompts
from study.running.cells.queries import query_model
from study.tasks.items import Document
from study.tasks.lm_eval.types import LmEvalModel, LmEvalRequest, LmEvalTask
from study.tasks.truncation import prompt_limit

RECORDED_TOKENS = 8
"Token ids of the first prompt that are part of the record."
_RESPONSE_COLUMNS = [name for name, kind in RESPONSES.items() if kind.startswith("list")]


@dataclass(frozen=True)
class TokenAudit:
    """Tokens of a cell's requests as the model reads them."""

    too_long: frozenset[int]
    "`id` of requests that exceed the context window."
    first_token_ids: list[int]
    digest: str
    "sha256 over the token ids of all prompts, in order."
    bos_count: int
    longest: int
    "Tokens of the longest request."
    tokens: int
    "Tokens of all requests."


@dataclass(frozen=True)
class _PromptTokens:
    """What an audit needs of the token ids, which is the same for all models with a tokenizer."""

    first_token_ids: list[int]
    digest: str
    bos_counts: list[int]
    "The numbers of <bos> with which prompts begin, each once, ascending."
    adds_bos: bool
    "Whether the tokenizer puts <bos> before plain text."
    lengths: list[int]
    "Tokens of each request."
    continuations: list[list[int]]
    "For each item, tokens of the continuations of its scored requests."


def collect_responses(
    lm: LmEvalModel,
    task: LmEvalTask,
    documents: tuple[Document, ...],
    prompts: Prompts,
    cell: Cell,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Query the model; returns the audit of the cell and a row of `schema.RESPONSES` per item."""
    requests = prompts.all_requests
    reserved = reserved_tokens(cell.rendering, cell.arm.thinking_tokens)
    audit = audit_tokens(lm, prompts, cell, prompt_limit(lm.max_length, task, reserved))
    items = list(zip(documents, prompts.requests, prompts.shots, strict=True))
    truncated = []
    for document, item_requests, shots in items:
        truncated.append(not audit.too_long.isdisjoint(map(id, item_requests)))
        if shots and truncated[-1]:
            raise AuditError(
                f"item {document.index}: its {shots} demonstrations exceed the context window"
            )
    thinking = query_model(lm, requests, cell)
    prompt_columns = prompts.derived("columns", lambda: _prompt_columns(prompts))
    continuations = _prompt_tokens(lm, prompts).continuations
    rows = [
        {
            **columns,
            "item": document.index,
            "shots": shots,
            "truncated": is_truncated,
            "tokens": tokens,
            **_response(item_requests),
            **thinking.columns(item_requests),
        }
        for (document, item_requests, shots), is_truncated, columns, tokens in zip(
            items, truncated, prompt_columns, continuations, strict=True
        )
    ]
    results = {
        "n_items": len(rows),
        "effective_shots": {"least": min(prompts.shots), "most": max(prompts.shots)},
        "truncated_items": sum(truncated),
        "first_token_ids": audit.first_token_ids,
        "token_digest": audit.digest,
        "bos_count": audit.bos_count,
        "longest_tokens": audit.longest,
        "tokens": audit.tokens,
        **thinking.summary(),
    }
    return results, rows


def audit_tokens(lm: LmEvalModel, prompts: Prompts, cell: Cell, limit: int) -> TokenAudit:
    """Count tokens and <bos> of every prompt as the model reads it; AuditError for a wrong count.

    With a tokenizer that puts <bos> before plain text, every prompt must have exactly one; with
    another, a chat template must not produce two.
    """
    read = _prompt_tokens(lm, prompts)
    least, most = read.bos_counts[0], read.bos_counts[-1]
    if most > 1 or (read.adds_bos and least == 0):
        wanted = "one" if read.adds_bos else "one at most"
        raise AuditError(
            f"prompts of {cell.arm.name} begin with {read.bos_counts} <bos>, not {wanted}"
        )
    too_long = frozenset(
        id(request)
        for request, length in zip(prompts.all_requests, read.lengths, strict=True)
        if length > limit
    )
    return TokenAudit(
        too_long, read.first_token_ids, read.digest, most, max(read.lengths), sum(read.lengths)
    )


def _prompt_tokens(lm: LmEvalModel, prompts: Prompts) -> _PromptTokens:
    if lm.encoding is None:
        return _count_tokens(lm, prompts)
    return prompts.derived(lm.encoding, lambda: _count_tokens(lm, prompts))


def _count_tokens(lm: LmEvalModel, prompts: Prompts) -> _PromptTokens:
    requests = prompts.all_requests
    contexts = list(dict.fromkeys(request.args[0] for request in requests))
    ids = dict(zip(contexts, lm.encoded(contexts), strict=True))
    if "" in ids:
        ids[""] = [lm.prefix_token_id]
    scored = [request for request in requests if _is_scored(request)]
    answers = sorted({request.args[1] for request in scored})
    sizes = dict(zip(answers, _token_counts(lm.tokenizer, answers), strict=True))
    bos = lm.tokenizer.bos_token_id
    continuations = iter(lm.continuation_lengths(scored) if scored else [])
    return _PromptTokens(
        first_token_ids=ids[contexts[0]][:RECORDED_TOKENS],
        digest=hashlib.sha256(
            json.dumps([ids[context] for context in contexts]).encode()
        ).hexdigest(),
        bos_counts=sorted({_leading(token_ids, bos) for token_ids in ids.values()}),
        adds_bos=bos is not None and lm.tokenizer("a").input_ids[:1] == [bos],
        lengths=[
            len(ids[request.args[0]]) + (sizes[request.args[1]] if _is_scored(request) else 0)
            for request in requests
        ],
        continuations=[
            [next(continuations) for request in item_requests if _is_scored(request)]
            for item_requests in prompts.requests
        ],
    )


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


def _prompt_columns(prompts: Prompts) -> list[dict[str, Any]]:
    """The columns of `schema.RESPONSES` that the prompt of each item decides; the others empty."""
    return [
        {
            **{name: [] for name in _RESPONSE_COLUMNS},
            "prompt_hash": _prompt_hash(requests),
            **_sizes(requests),
        }
        for requests in prompts.requests
    ]


def _sizes(requests: tuple[LmEvalRequest, ...]) -> dict[str, list[int]]:
    """Bytes and characters of the texts whose log-probabilities an item asks for."""
    if requests[0].request_type == "generate_until":
        return {}
    continuations = [str(request.args[-1]) for request in requests]
    return {
        "bytes": [len(text.encode()) for text in continuations],
        "characters": [len(text) for text in continuations],
    }


def _prompt_hash(requests: tuple[LmEvalRequest, ...]) -> str:
    prompt = "\n".join(dict.fromkeys(str(request.args[0]) for request in requests))
    return hashlib.sha256(prompt.encode()).hexdigest()


def _response(requests: tuple[LmEvalRequest, ...]) -> dict[str, list[Any]]:
    """The columns of `schema.RESPONSES` that hold what the model gave for an item."""
    if requests[0].request_type == "generate_until":
        return {"texts": [str(text) for request in requests for text in request.resps]}
    if not _is_scored(requests[0]):  # the log-probability of a whole text
        return {"logprobs": [float(request.resps[0]) for request in requests]}
    return {
        "logprobs": [float(request.resps[0][0]) for request in requests],
        "greedy": [bool(request.resps[0][1]) for request in requests],
    }
