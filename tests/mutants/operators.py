"""What a mutant changes: operators, constants, conditions, and code that is removed.

In: the syntax tree of a module. Out: edits. Unlike the operators of mutmut and cosmic-ray, these
also remove statements, arguments and elements of collections, which is how a check or a part of an
identity is lost, and they reach decorated functions, class bodies and the constraints in pydantic's
annotations, of which `study/config` consists. Strings and messages are not changed.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence

from tests.mutants.edits import Edit, Source

ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any", "ceil": "floor"}
INERT_DECORATORS = (
    "dataclass",
    "override",
    "cache",
    "lru_cache",
    "cached_property",
    "abstractmethod",
)
"Decorators that change speed or what a type checker allows, not results."
MESSAGE_ARGUMENTS = ("found", "expected", "do")
ASSERTIONS = ("strict", "kw_only", "frozen")
"Keyword arguments that fail where the code around them is wrong."


def edits(parent: ast.AST, scope: str, source: Source) -> Iterator[tuple[str, Edit]]:
    """(scope, edit) for everything below a node; a scope is a qualified name."""
    for field, value in ast.iter_fields(parent):
        for node in value if isinstance(value, list) else [value]:
            if not isinstance(node, ast.AST) or _is_inert(parent, field, node):
                continue
            inner = scope
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                inner = f"{scope}.{node.name}".strip(".")
            if field == "decorator_list":
                yield (
                    inner,
                    (source.bytes.rindex(b"@", 0, source.start(node)), source.end(node), ""),
                )
            elif not (
                field == "slice" and isinstance(node, ast.Tuple) and _name(parent) != "Literal"
            ):
                for text in _replacements(node, field):
                    yield inner, (source.start(node), source.end(node), text)
                for edit in _removals(node, field, source):
                    yield inner, edit
            yield from edits(node, inner, source)


def _is_inert(parent: ast.AST, field: str, node: ast.AST) -> bool:
    """Whether a change below a node would change types, messages or speed alone."""
    if field == "decorator_list":
        return _name(node) in INERT_DECORATORS
    match node:
        case ast.JoinedStr() | ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
        case ast.keyword(arg=str(name)):
            return name in MESSAGE_ARGUMENTS + ASSERTIONS
        case ast.Call():
            return _name(node) in ("TypeVar", "cast")
    if field == "annotation" and isinstance(parent, ast.AnnAssign):
        # pydantic reads these.
        return not any(word in ast.unparse(node) for word in ("Literal", "Field", "Validator"))
    return field in ("returns", "annotation")


def _name(node: ast.AST) -> str:
    """Last part of the name of what is called or subscripted."""
    inner = getattr(node, "func", getattr(node, "value", node))
    return str(getattr(inner, "attr", getattr(inner, "id", "")))


def _replacements(node: ast.AST, field: str) -> Iterator[str]:
    """Texts that take the place of a node."""
    if field in ("test", "ifs") and not isinstance(node, ast.Compare | ast.UnaryOp):
        yield f"(not {ast.unparse(node)})"
    match node:
        case ast.Compare(ops=[*operators]):
            for i, operator in enumerate(operators):
                for kind in COMPARISONS[type(operator)]:
                    yield _changed(node, ops=[*operators[:i], kind(), *operators[i + 1 :]])
        case ast.BinOp(op=operator) | ast.AugAssign(op=operator):
            if type(operator) in ARITHMETIC:
                yield _changed(node, op=ARITHMETIC[type(operator)]())
        case ast.BoolOp(op=operator, values=[*values]):
            yield _changed(node, op=ast.Or() if isinstance(operator, ast.And) else ast.And())
            if len(values) > 2:
                for i in range(len(values)):
                    yield _changed(node, values=values[:i] + values[i + 1 :])
            else:
                yield from (f"({ast.unparse(value)})" for value in values)
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield f"({ast.unparse(operand)})"
        case ast.Constant(value=bool(value)):
            yield str(not value)
        case ast.Constant(value=int(value)):
            yield str(value + 1)
        case ast.Constant(value=float(value)):
            yield repr(value * 2 if value else 1.0)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name) as function):
            if name in FUNCTIONS:
                key = "id" if isinstance(function, ast.Name) else "attr"
                renamed = copy.copy(function)
                setattr(renamed, key, FUNCTIONS[name])
                yield _changed(node, func=renamed)
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield "return None"
        case ast.Raise() | ast.Expr() | ast.Assert() | ast.Delete():
            yield "pass"
        case ast.Break():
            yield "continue"
        case ast.Continue():
            yield "break"
    if isinstance(node, ast.AugAssign):
        yield "pass"


def _removals(node: ast.AST, field: str, source: Source) -> Iterator[Edit]:
    """Edits that remove one keyword argument, or one element of a collection."""
    match node:
        case ast.Call(args=[*arguments], keywords=[*keywords]):
            removable = [k for k in keywords if k.arg not in MESSAGE_ARGUMENTS + ASSERTIONS]
            yield from _without_each([*arguments, *keywords], removable, source)
        case ast.List(elts=[_, *_] as parts) | ast.Set(elts=[_, _, *_] as parts):
            yield from _without_each(parts, parts, source)
        case ast.Tuple(elts=parts, ctx=ast.Load()) if len(parts) > 2 or field == "slice":
            yield from _without_each(parts, parts, source)
        case ast.Dict(values=[*values]):
            yield from _without_each(values, values, source, node.keys)


def _without_each(
    parts: Sequence[ast.AST],
    removable: Sequence[ast.AST],
    source: Source,
    keys: Sequence[ast.AST | None] = (),
) -> Iterator[Edit]:
    """Edits that remove a part, with the comma before or after it."""
    firsts = [source.start(part) for part in parts]
    for i, key in enumerate(keys):
        firsts[i] = source.start(key) if key else firsts[i] - len("**")
    for i, part in enumerate(parts):
        if part not in removable:
            continue
        if i + 1 < len(parts):
            yield firsts[i], firsts[i + 1], ""
        elif i:
            yield source.end(parts[i - 1]), source.end(part), ""
        else:
            yield firsts[i], source.end(part), ""


def _changed(node: ast.AST, **fields: object) -> str:
    """The text of a node with other fields."""
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    text = ast.unparse(other)
    return f"({text})" if isinstance(node, ast.BinOp | ast.BoolOp | ast.Compare) else text
