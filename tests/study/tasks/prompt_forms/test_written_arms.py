"""The arms of Bigoulaeva et al. (2025), evaluated: the base reads what its tuned model wrote."""

from __future__ import annotations

import hashlib

from study.planning.plan_study import PlannedStudy
from tests.conftest import MakeRun
from tests.in_process import evaluate_all, plan
from tests.study.task_files import TUNING

WRITES, WRITTEN = "tuned-0shot-chat-writes", "base-0shot-written"


def _planned_keys(planned: PlannedStudy) -> set[str | None]:
    return {cell.key for job in planned.plan.jobs for cell in job.cells}


def test_the_base_reads_what_its_tuned_model_wrote(make_run: MakeRun) -> None:
    folder = make_run(
        pairs=...,
        layout="zoo",
        tuning=TUNING,
        limit=10,
        draws=1,
        answers={"choose": "similarity", "tokens": 6, "writing_tokens": 60},
        tasks={"suite": "zoo_gen", "only": ["zoo_reverse_gen", "zoo_category_gen"]},
        arms=[
            "base-0shot",
            "base-2shot-fields",
            "base-2shot-othertask",
            "tuned-0shot-chat",
            WRITES,
            WRITTEN,
        ],
        contrasts=[{"name": "c", "x": WRITTEN, "y": WRITES}],
    )
    keys = _planned_keys(plan(folder))
    assert None not in keys, "keys are known before the models are trained"
    run = evaluate_all(folder)
    cells, rows = run.cells, run.ledger.rows
    assert {row["key"] for row in rows} <= cells.done()
    assert {row["key"] for row in rows} == keys
    by_position = {(row["pair"], row["arm"], row["task"]): row["key"] for row in rows}
    assert len({pair for pair, arm, _ in by_position if arm == "tuned-0shot-chat"}) == 1
    written = {position: key for position, key in by_position.items() if position[1] == WRITTEN}
    assert len(written) == 2
    for (pair, _, task), key in written.items():
        writer = by_position[pair, WRITES, task]
        record = cells.record(key)
        reads = record["identity"]["responses"]["prompts"]["reads"]
        assert reads == cells.record(writer)["responses"]
        assert record["metric"] == "answer_similarity"
        assert cells.record(writer)["written"]["parsed"] >= 0
        prompts = run.responses.items(record["responses"]).to_pylist()
        hashes = {row["item"]: row["prompt_hash"] for row in prompts}
        for row in run.responses.items(reads, ["item", "texts"]).to_pylist():
            (text,) = row["texts"]
            before, cue, _ = text.rpartition("answer :")
            prompt = before + cue if cue else text
            assert hashes[row["item"]] == hashlib.sha256(prompt.encode()).hexdigest()
    assert plan(folder).remaining() == []
