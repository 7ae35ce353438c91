"""Terms and literals of a clause, from Python's syntax tree."""

from __future__ import annotations

import ast
from typing import Protocol

from bloomish.errors import ProgramError
from bloomish.ir import Span
from bloomish.readers.pydatalog.clauses import (
    Arithmetic,
    Built,
    C,
    Cmp,
    Comparison,
    Fn,
    In,
    Item,
    Lit,
    Not,
    Op,
    Pred,
    Sig,
    Term,
    Tup,
    V,
)
from bloomish.readers.pydatalog.constants import compute
from bloomish.readers.refusal import refusal

_ARITHMETIC: dict[type[ast.operator], Arithmetic] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Pow: "**",
}  # fmt: skip
_COMPARISONS: dict[type[ast.cmpop], Comparison] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_PARENTHESES = "put each comparison in parentheses, as in p(X) & (X > 1)"
_AGGREGATE_NAMES = {
    "sum", "sum_", "len", "len_", "min", "min_", "max", "max_", "mean_", "concat", "concat_",
    "tuple_", "rank", "rank_", "running_sum", "running_sum_", "linear_regression_",
}  # fmt: skip


class Places(Protocol):
    """Gives a node's place in the text."""

    def span(self, node: ast.stmt | ast.expr) -> Span: ...


class Bodies:
    """Reads the literals and terms of one statement, left to right as Python would.

    The order matters once: `X[0]` takes an element where the clause has named
    X before, and is a function called X where it has not (pyDatalog's
    `Thread_storage.variables`).
    """

    def __init__(self, where: Places) -> None:
        self.where = where
        self.named: set[str] = set()
        self.constants: dict[str, object] = {}  # `size = 5`, for later statements

    def begin(self) -> None:
        """A new statement."""
        self.named = set()

    # --------------------------------------------------------------- literals

    def body(self, node: ast.expr) -> tuple[Lit, ...]:
        """Literals joined by `&`."""
        match node:
            case ast.BinOp(left=left, op=ast.BitAnd(), right=right):
                return (*self.body(left), *self.body(right))
            case _:
                return self.literal(node)

    def literal(self, node: ast.expr) -> tuple[Lit, ...]:
        """One literal; functions inside its terms stay there (see `flatten`)."""
        span = self.where.span(node)
        match node:
            case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
                if keywords:
                    raise refusal(span, f"{name}(...) takes no keywords in a body")
                if name in _AGGREGATE_NAMES:
                    raise refusal(span, f"{name} stands in a head alone", _HEAD_AGGREGATE)
                terms = tuple(self.term(arg) for arg in args)
                return (Pred(Sig(name, len(terms)), terms, span),)
            case ast.Call(func=ast.Attribute(value=item, attr="in_" | "_in"), args=[values]):
                return (In(self.term(item), self.term(values), False, span),)
            case ast.Call(
                func=ast.Attribute(value=item, attr="not_in_" | "_not_in"), args=[values]
            ):
                return (In(self.term(item), self.term(values), True, span),)
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                return (Not(self.body(operand), span),)
            case ast.Compare():
                return (self._comparison(node, span),)
            case ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                raise refusal(
                    span, "and, or, not are Python's own", "write & and ~; one clause per `or`"
                )
            case ast.BinOp(op=ast.BitOr()):
                raise refusal(span, "pyDatalog has no `|`", "write one clause per alternative")
            case ast.BinOp(op=ast.BitAnd()):
                raise refusal(span, "a conjunction cannot stand here")
            case ast.Subscript():
                raise refusal(span, "a function needs its value here, as in f[X] == Y")
            case ast.Call(func=ast.Attribute()):
                raise refusal(span, "predicates and methods of Python classes are not read")
        raise refusal(span, "this is not a literal")

    def _comparison(self, node: ast.Compare, span: Span) -> Lit:
        if len(node.ops) != 1:
            raise refusal(span, "a chained comparison", _PARENTHESES)
        left_node, op, right_node = node.left, node.ops[0], node.comparators[0]
        for side in (left_node, right_node):
            if isinstance(side, ast.BinOp) and isinstance(side.op, ast.BitAnd | ast.BitOr):
                raise refusal(span, "& binds tighter than a comparison", _PARENTHESES)
        if isinstance(op, ast.In | ast.NotIn):
            item = self.term(left_node)
            return In(item, self.term(right_node), isinstance(op, ast.NotIn), span)
        if type(op) not in _COMPARISONS:
            raise refusal(span, "`is` compares Python objects", "write == or !=")
        left, right = self.term(left_node), self.term(right_node)
        name = _COMPARISONS[type(op)]
        if name == "==":
            if isinstance(right, Fn):
                left, right = right, left
            if isinstance(left, Fn):
                return Pred(left.sig, (*left.keys, right), span)
        return Cmp(name, left, right, span)

    # ------------------------------------------------------------------ terms

    def term(self, node: ast.expr) -> Term:
        """One term."""
        span = self.where.span(node)
        match node:
            case ast.Constant(value=value):
                return C(self._value(value, span))
            case ast.Name(id=name):
                return self._name(name)
            case ast.Tuple(elts=elts) | ast.List(elts=elts):
                items = tuple(self.term(item) for item in elts)
                if all(isinstance(item, C) for item in items):
                    return C(tuple(item.value for item in items if isinstance(item, C)))
                return Tup(items)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._fold("-", C(0), self.term(operand), span)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._fold("+", C(0), self.term(operand), span)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                first = self.term(left)
                return self._fold(_ARITHMETIC[type(op)], first, self.term(right), span)
            case ast.Subscript(value=ast.Name(id=name)) if name in self.named:
                return Item(V(name), self._index(node.slice))
            case ast.Subscript():
                keys, sig = self.function(node)
                return Fn(sig, keys)
            case ast.Call(func=ast.Name(id="range_"), args=[count]):
                return Built("range", (self.term(count),))
            case ast.Call(func=ast.Name(id="format_"), args=[first, *rest]):
                return Built("format", tuple(self.term(arg) for arg in (first, *rest)))
        raise self._no_term(node, span)

    def function(self, node: ast.Subscript) -> tuple[tuple[Term, ...], Sig]:
        """`f[X, Y]`: its keys, and which function it is."""
        if not isinstance(node.value, ast.Name):
            raise refusal(self.where.span(node), "a function is a name with keys, as in f[X]")
        if isinstance(node.slice, ast.Slice):
            raise refusal(
                self.where.span(node), "slices are not read", "name the elements you need"
            )
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        keys = tuple(self.term(part) for part in parts)
        return keys, Sig(node.value.id, len(keys) + 1, function=True)

    def _name(self, name: str) -> Term:
        if name in self.constants:
            return C(self.constants[name])
        if name[0] in "ABCDEFGHIJKLMNOPQRSTUVWXYZ_":
            self.named.add(name)
            return V(name)
        return C(name)

    def _index(self, node: ast.expr) -> Term:
        if isinstance(node, ast.Slice):
            raise refusal(
                self.where.span(node), "slices are not read", "name the elements you need"
            )
        return self.term(node)

    def _value(self, value: object, span: Span) -> object:
        if value is None or isinstance(value, bool | float | str | bytes):
            if isinstance(value, float) and value != value:
                raise refusal(span, "NaN is not a value")
            return value
        if isinstance(value, int):
            if not -(2**63) <= value < 2**63:
                raise refusal(span, f"{value} does not fit in 64 bits")
            return value
        raise refusal(span, f"a {type(value).__name__} is not a value here")

    def _fold(self, op: Arithmetic, left: Term, right: Term, span: Span) -> Term:
        """Python computes an operation on two constants at once, and so do we."""
        if isinstance(left, C) and isinstance(right, C):
            try:
                return C(self._value(compute(op, left.value, right.value), span))
            except (TypeError, ArithmeticError) as error:
                raise refusal(span, f"this cannot be computed: {error}") from error
        return Op(op, left, right)

    def _no_term(self, node: ast.expr, span: Span) -> ProgramError:
        match node:
            case ast.Lambda():
                return refusal(span, "a lambda is Python code that the analysis cannot see into")
            case ast.Attribute():
                return refusal(span, "attributes of Python objects are not read")
            case ast.Call(func=ast.Name(id=name)) if name in _AGGREGATE_NAMES:
                return refusal(span, f"{name} stands in a head alone", _HEAD_AGGREGATE)
            case ast.Call(func=ast.Name(id=name)):
                mend = f"join it in the body and use a variable: {name}(X, Y) & ..."
                return refusal(span, f"{name}(...) is a literal, not a term", mend)
            case ast.Compare():
                return refusal(span, "a comparison is not a value", _PARENTHESES)
            case ast.Set() | ast.Dict():
                return refusal(span, "sets and dicts are not values in pyDatalog", "use a tuple")
        return refusal(span, f"a Python {type(node).__name__} is not a term")


_HEAD_AGGREGATE = "as in (total[X] == sum_(Y, for_each=Z)) <= p(X, Y, Z)"
