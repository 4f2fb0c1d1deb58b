"""Prefix trees: sequences that share beginnings, their unbranched runs, and the nodes in order."""

from study.inference.prefix_tree.sequences import Ints, TokenSequences, common_prefix_length
from study.inference.prefix_tree.tree import PrefixTree, build_prefix_tree

__all__ = ["Ints", "PrefixTree", "TokenSequences", "build_prefix_tree", "common_prefix_length"]
