"""The files between evaluation and analysis: what a run folder contains, and how it is read.

`run.Run` is a run folder, opened once; everything else is reached through it.
"""
