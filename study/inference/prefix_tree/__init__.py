"""Prefix trees: sequences that share beginnings, their unbranched runs, and the nodes in order."""

from study.inference.prefix_tree.sequences import (
    Ints,
    Tokens,
    TokenSequences,
    common_prefix_length,
)
from study.inference.prefix_tree.tree import PrefixTree, build_prefix_tree

__all__ = [
    "Ints",
    "PrefixTree",
    "TokenSequences",
    "Tokens",
    "build_prefix_tree",
    "common_prefix_length",
]
