"""Self-written demonstrations: the shares that cells recorded."""

from __future__ import annotations

from analysis.tables.tuning.self_written import COLUMNS, self_written
from study.results.run import Run


class Cells:
    """Two finished cells, of which one has self-written demonstrations."""

    def done(self) -> set[str]:
        return {"w", "x"}

    def record(self, key: str) -> dict[str, dict[str, float]]:
        assert key == "w"
        return {"written": {"parsed": 1.0, "copied": 0.0, "same_answer": 0.5, "restated": 0.25}}


def test_a_row_for_each_finished_cell_of_a_writing_arm(tuning_run: Run) -> None:
    tuning_run.__dict__["cells"] = Cells()
    arms = {"w": "tuned-5shot-writes", "x": "tuned-0shot", "not done": "tuned-5shot-writes"}
    row = {"pair": "one", "task": "t", "task_type": "a", "exposure": ""}
    tuning_run.ledger.rows.extend({**row, "key": key, "arm": arm} for key, arm in arms.items())
    table = self_written(tuning_run)
    assert list(table.columns) == COLUMNS
    assert table["restated"].tolist() == [0.25]
