"""Padded blocks gather nodes, scatter results back, and mask all but ancestors."""

from __future__ import annotations

import numpy as np
import torch

from study.inference.attention.padded_blocks import PaddedBlocks


def test_padded_blocks_gather_and_scatter() -> None:
    nodes = np.array([[0, 1, 2], [4, 3, -1]])
    depth, reach = torch.tensor([0, 1, 1, 1, 0]), torch.tensor([3, 2, 3, 4, 5])
    lowest = torch.zeros_like(depth)
    cpu = torch.device("cpu")
    blocks = PaddedBlocks.from_nodes(nodes, depth, reach, lowest, torch.float32, cpu)
    x = torch.arange(5.0).reshape(5, 1, 1)
    gathered = blocks.gather(x)
    assert gathered.flatten().tolist() == [0, 1, 2, 4, 3, 4]
    target = torch.full((5, 1, 1), -1.0)
    blocks.scatter(gathered, target)
    assert target.flatten().tolist() == [0, 1, 2, 3, 4]
    # Padding attends to itself, nodes to their ancestors in the block.
    first = blocks.mask.allowed[0, 0]
    assert first.tolist() == [[True, False, False], [True, True, False], [True, False, True]]
    assert blocks.mask.allowed[1, 0, 2].tolist() == [False, False, True]
    narrow = PaddedBlocks.from_nodes(nodes, depth, reach, depth, torch.float32, cpu)
    assert torch.equal(narrow.mask.allowed[0, 0], torch.eye(3, dtype=torch.bool))
