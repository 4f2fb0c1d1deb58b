"""The blocks of a packed batch as one padded batch, so that they are attended to side by side.

In: the nodes of each block, their depths and reaches. Out: `PaddedBlocks`: index tensors that
gather nodes into [number, length] and scatter results back, and the mask within each block.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from study.inference.attention.hook import PositionRule
from study.inference.prefix_tree import Ints


@dataclass(frozen=True)
class PaddedBlocks:
    """The blocks of one batch on one device, padded to the same length."""

    index: Tensor
    "[number * length]: the node in each slot; padding repeats the first node of the block."
    occupied: Tensor
    "Flat indices of the slots that are not padding."
    nodes: Tensor
    "The nodes in the occupied slots."
    allowed: Tensor
    "[number, 1, length, length], boolean: nodes attend to their ancestors in the block."
    depth: Tensor
    "[number, length]"

    @classmethod
    def from_nodes(
        cls, blocks: Ints, depth: Tensor, reach: Tensor, device: torch.device
    ) -> PaddedBlocks:
        """Blocks given by their nodes [number, length], padded with -1.

        `depth` and `reach` are those of all nodes of the batch, both counted from its start.
        """
        nodes = torch.from_numpy(blocks)
        is_node = nodes >= 0
        index = torch.where(is_node, nodes, nodes[:, :1])
        block_reach = reach[index]
        i, j = index.unsqueeze(2), index.unsqueeze(1)
        is_ancestor = (j <= i) & (i < block_reach.unsqueeze(1)) & is_node.unsqueeze(1)
        # Padding attends to itself, so that no row of the mask is empty.
        identity = torch.eye(index.shape[1], dtype=torch.bool)
        allowed = torch.where(is_node.unsqueeze(2), is_ancestor, identity)
        return cls(
            index.flatten().to(device),
            torch.nonzero(is_node.flatten()).flatten().to(device),
            nodes[is_node].to(device),
            allowed.unsqueeze(1).to(device),
            depth[index].to(device),
        )

    def gather(self, x: Tensor) -> Tensor:
        """Tensor [1, heads, nodes, head_dim] as blocks [number, heads, length, head_dim]."""
        rows = x[0].transpose(0, 1).index_select(0, self.index)
        return rows.reshape(*self.depth.shape, *rows.shape[1:]).transpose(1, 2)

    def scatter(self, blocks: Tensor, target: Tensor) -> None:
        """Write [number, heads, length, ...] into the nodes of `target` [nodes, heads, ...]."""
        rows = blocks.transpose(1, 2).reshape(len(self.index), *target.shape[1:])
        target[self.nodes] = rows[self.occupied].to(target.dtype)

    def allowed_by(self, rule: PositionRule) -> Tensor:
        """The mask [number, 1, length, length] under a rule; every slot attends to itself."""
        by_rule = rule.allowed(self.depth, self.depth).unsqueeze(1)
        identity = torch.eye(self.depth.shape[1], dtype=torch.bool, device=self.depth.device)
        return self.allowed & (by_rule | identity)
