"""A template's syntax tree with its costs: what the sandbox cannot see is made visible to it.

In: the tree of a template, before it is compiled. Out: the same tree, in which each iteration of a
loop and each call of a macro takes its cost from the budget, and operands of comparisons and
concatenations, slices and keys of mappings are filtered by `MEASURED`.
"""

from __future__ import annotations

from typing import Any

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from study.bounded_jinja.budget import STEP

SPENT = "cost of a body"
MEASURED = "cost of a value"
"Names of filters; no template can write a name with spaces."
NODES_PER_STEP = 8


class CostedTree(NodeTransformer):
    """Adds the costs to a tree, in place."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        """Every element takes the cost of the test, every iteration that of the body."""
        _with_cost_of_body(self.generic_visit(node))
        if node.test is not None:
            node.test = nodes.And(_spent([node.test]), node.test)
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        """Every call takes the cost of the body."""
        return _with_cost_of_body(self.generic_visit(node))

    visit_CallBlock = visit_Macro
    visit_Block = visit_Macro

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        """Operands may be long texts, and collections that share their elements."""
        self.generic_visit(node)
        node.expr = _measured(node.expr)
        for operand in node.ops:
            operand.expr = _measured(operand.expr)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        """Operands become text, which is as long as all of them."""
        self.generic_visit(node)
        node.nodes = [_measured(operand) for operand in node.nodes]
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        """A slice is a copy."""
        self.generic_visit(node)
        return _measured(node) if isinstance(node.arg, nodes.Slice) else node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:
        """A key is hashed."""
        self.generic_visit(node)
        node.key = _measured(node.key)
        return node


def _with_cost_of_body(node: Any) -> nodes.Node:
    node.body = [nodes.ExprStmt(_spent(node.body)), *node.body]
    return node  # type: ignore[no-any-return]


def _spent(body: list[Any]) -> nodes.Filter:
    return _filter(nodes.Const(STEP + sum(map(_cost, body))), SPENT)


def _measured(expression: nodes.Expr) -> nodes.Expr:
    return expression if isinstance(expression, nodes.Const) else _filter(expression, MEASURED)


def _filter(expression: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(expression, name, [], [], None, None)


def _cost(node: nodes.Node) -> int:
    """Of a node that is computed once, without the bodies that take their own cost."""
    if isinstance(node, nodes.TemplateData):
        return len(node.data)
    with_own_cost = isinstance(node, nodes.For | nodes.Macro | nodes.CallBlock | nodes.Block)
    children = node.iter_child_nodes(exclude=("body",) if with_own_cost else None)
    return STEP // NODES_PER_STEP + sum(map(_cost, children))
