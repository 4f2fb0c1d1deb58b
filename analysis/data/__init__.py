"""What the tables and figures are computed from: scores, item scores, points of a contrast.

In: a run. Out: data frames and arrays.
"""
