"""The blocks of a packed batch as one padded batch, so that they are attended to side by side.

In: the nodes of each block, their depths and reaches. Out: `PaddedBlocks`: index tensors that
gather nodes into [number, length] and scatter results back, and the mask within each block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from study.inference.attention.masks import Mask
from study.inference.memory import moved_to
from study.inference.prefix_tree import Ints


@dataclass(frozen=True, eq=False)
class PaddedBlocks:
    """The blocks of one batch on one device, padded to the same length."""

    shape: tuple[int, int]
    "Number of blocks, and length of the longest."
    index: Tensor
    "[number * length]: the node in each slot; padding repeats the first node of the block."
    occupied: Tensor
    "Flat indices of the slots that are not padding."
    nodes: Tensor
    "The nodes in the occupied slots."
    mask: Mask
    "[number, 1, length, length]: nodes attend to their ancestors in the block."

    @classmethod
    def from_nodes(
        cls,
        blocks: Ints,
        depth: Tensor,
        reach: Tensor,
        lowest: Tensor,
        dtype: torch.dtype,
        device: torch.device,
    ) -> PaddedBlocks:
        """Blocks given by their nodes [number, length], padded with -1.

        `depth`, `reach` and `lowest`, the depth of the first visible ancestor, are those of all
        nodes of the batch; nodes are counted from its start.
        """
        nodes = torch.from_numpy(blocks)
        is_node = nodes >= 0
        index = torch.where(is_node, nodes, nodes[:, :1])
        i, j = index.unsqueeze(2), index.unsqueeze(1)
        is_ancestor = (j <= i) & (i < reach[index].unsqueeze(1)) & is_node.unsqueeze(1)
        is_visible = depth[index].unsqueeze(1) >= lowest[index].unsqueeze(2)
        # Padding attends to itself, so that no row of the mask is empty.
        identity = torch.eye(index.shape[1], dtype=torch.bool)
        allowed = torch.where(is_node.unsqueeze(2), is_ancestor & is_visible, identity)
        return cls(
            (index.shape[0], index.shape[1]),
            moved_to(device, index.flatten().numpy()),
            moved_to(device, np.flatnonzero(is_node)),
            moved_to(device, nodes[is_node].numpy()),
            Mask.from_allowed(allowed.unsqueeze(1), dtype, device),
        )

    def gather(self, x: Tensor) -> Tensor:
        """Tensor [nodes, heads, head_dim] as blocks [number, heads, length, head_dim]."""
        rows = x.index_select(0, self.index)
        return rows.reshape(*self.shape, *rows.shape[1:]).transpose(1, 2)

    def scatter(self, blocks: Tensor, target: Tensor) -> None:
        """Write [number, heads, length, ...] into the nodes of `target` [nodes, heads, ...]."""
        rows = blocks.transpose(1, 2).reshape(len(self.index), *target.shape[1:])
        target[self.nodes] = rows[self.occupied].to(target.dtype)
