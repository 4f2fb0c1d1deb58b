"""Standard errors of scores whose items share passages.

In: the scores' frame and item scores. Out: the frame, with the standard errors of such tasks taken
over passages: lm-eval's own take every item for a draw of its own, which several questions on one
text are not (Miller 2024, arXiv 2411.00640).
"""

from __future__ import annotations

import pandas as pd

from analysis.data.items import ItemScores
from analysis.statistics.items.sampling import standard_error


def with_clustered_errors(scores: pd.DataFrame, items: ItemScores) -> pd.DataFrame:
    """A copy; rows without item scores, and tasks without passages, keep what they have."""
    made = scores.copy()
    of_task = scores[scores["task"].isin(items.passages)]
    for (arm, task, pair), rows in of_task.groupby(["arm", "task", "pair"]):
        found = items.of(str(arm), str(task), [str(pair)])
        if found is None or found.scores.shape[1] != len(rows):
            continue
        clusters = items.clusters(str(task), found.items)
        order = rows.sort_values("draw", kind="stable").index
        for row, of_draw in zip(order, found.scores[0], strict=True):
            made.loc[row, "stderr"] = standard_error(of_draw, clusters=clusters)
    return made
