"""The polarity and class of expressions over typed variables."""

from __future__ import annotations

from collections.abc import Mapping

from bloomish import ir
from bloomish.analysis.methods import Signature, method_signature
from bloomish.analysis.polarity import (
    CHAINS,
    FIXED,
    Kept,
    Typed,
    Way,
    core,
    either,
    equality,
    is_chain,
    is_numeric,
    opposite,
    plainly,
    unknown,
)
from bloomish.lattices.structure import structure


class ExpressionTypes:
    """Types expressions in an environment of variables.

    `positive` are the variables known to be numbers of at least 0; `turned_back`
    gathers the cells that some expression reverses twice (R10).
    """

    def __init__(
        self,
        lattices: Mapping[str, ir.LatticeDecl],
        functions: Mapping[str, ir.FunctionDecl],
        positive: frozenset[str],
    ) -> None:
        self.lattices, self.functions = lattices, functions
        self.positive = positive
        self.env: dict[str, Typed] = {}
        self.turned_back: set[str] = set()

    def fits(self, term: ir.Expr, into: ir.Lattice) -> Kept | None:
        """How a term merges into a lattice column; None if not monotonely."""
        typed = self.type(term)
        if typed.way is Way.FIXED:
            return Kept.MORPHISM
        into = structure(into)
        match term:
            case ir.SetExpr():
                return None
            case ir.MapExpr(items=items) if into.name == "MapUnion":
                inner = into.args[1]
                kept = Kept.MORPHISM
                for key, value in items:
                    if self.type(key).way is not Way.FIXED or not isinstance(inner, ir.Lattice):
                        return None
                    one = self.fits(value, inner)
                    if one is None:
                        return None
                    kept = max(kept, one)
                return kept
            case ir.TupleExpr(items=(first, second)) if into.name in ("Pair", "Lex"):
                a, b = into.args
                if not (isinstance(a, ir.Lattice) and isinstance(b, ir.Lattice)):
                    return None
                if into.name == "Lex" and self.type(first).way is not Way.FIXED:
                    return None  # the value under a rising version is another value
                parts = (self.fits(first, a), self.fits(second, b))
                if parts[0] is None or parts[1] is None:
                    return None
                return max(parts[0], parts[1])
        if core(typed.type) == into and typed.way is Way.UP:
            return typed.kept
        if into.name in CHAINS and (typed.type is None or is_chain(typed.type)):
            wanted = Way.DOWN if into.name == "Min" else Way.UP
            return typed.kept if plainly(typed) is wanted else None
        return None

    def type(self, term: ir.HeadArg) -> Typed:
        """The polarity and class of an expression."""
        match term:
            case ir.Var(name=name):
                return self.env.get(name, FIXED)
            case ir.Unary(op=op, operand=operand):
                inner = self.type(operand)
                if op == "-" and not is_numeric(inner):
                    return unknown(inner)
                return Typed(self._turned(plainly(inner), inner), inner.kept, None, inner.cells)
            case ir.Binary():
                return self._binary(term)
            case ir.Call(function=name, args=args):
                return self._call(name, args)
            case ir.Method(name=name, receiver=receiver, args=args):
                return self._method(name, receiver, args)
            case ir.Size(of=of):
                return FIXED if isinstance(of, str) else self._size(of)
            case ir.TupleExpr(items=items) | ir.SetExpr(items=items):
                return self._structure(items)
            case ir.MapExpr(items=pairs):
                return self._structure(tuple(part for pair in pairs for part in pair))
            case ir.Field(of=of, type=type_):
                inner = self.type(of)
                if not inner.cells:
                    return FIXED
                return Typed(Way.UNKNOWN, Kept.PLAIN, type_, inner.cells)
            case _:
                return FIXED

    def _structure(self, items: tuple[ir.Expr, ...]) -> Typed:
        typed = [self.type(item) for item in items]
        if all(part.way is Way.FIXED for part in typed):
            return FIXED
        cells = frozenset(name for part in typed for name in part.cells)
        kept = max((part.kept for part in typed), default=Kept.MORPHISM)
        return Typed(Way.UNKNOWN, kept, None, cells)

    def _size(self, of: ir.Expr) -> Typed:
        inner = self.type(of)
        if inner.way is Way.FIXED:
            return FIXED
        type = core(inner.type)
        counted = isinstance(type, ir.Lattice) and type.name in ("SetUnion", "MapUnion")
        way = inner.way if counted else Way.UNKNOWN
        return Typed(way, Kept.MONOTONE, None, inner.cells)

    def _binary(self, term: ir.Binary) -> Typed:
        left, right = self.type(term.left), self.type(term.right)
        cells = left.cells | right.cells
        if not cells:
            return FIXED
        kept = max(left.kept, right.kept)
        if len(cells) > 1:
            kept = max(kept, Kept.MONOTONE)
        a, b = plainly(left), plainly(right)
        way = Way.UNKNOWN
        match term.op:
            case "|":
                same = core(left.type) == core(right.type) or Way.FIXED in (left.way, right.way)
                way = either(left.way, right.way) if same else Way.UNKNOWN
                return Typed(way, kept, left.type or right.type, cells)
            case "+" if is_numeric(left) and is_numeric(right):
                way = either(a, b)
            case "-" if is_numeric(left) and is_numeric(right):
                way = either(a, self._turned(b, right))
            case "*" if not right.cells:
                way = self._scaled(a, term.right)
            case "*" if not left.cells:
                way = self._scaled(b, term.left)
            case "/" | "//" | "div" if not right.cells:
                way = self._scaled(a, term.right)
            case ">" | ">=":
                way = either(a, self._turned(b, right))
            case "<" | "<=":
                way = either(self._turned(a, left), b)
            case "and" | "or":
                way = either(a, b)
            case "==" | "!=":
                way = equality(term, a, b)
        return Typed(way, kept, None, cells)

    def _turned(self, way: Way, typed: Typed) -> Way:
        """The opposite; what went down and now goes up has been turned twice."""
        if way is Way.DOWN:
            self.turned_back |= typed.cells
        return opposite(way)

    def _scaled(self, way: Way, factor: ir.Expr) -> Way:
        if self.is_nonnegative(factor):
            return way
        if isinstance(factor, ir.Const) and isinstance(factor.value, (int, float)):
            return opposite(way)
        return Way.UNKNOWN

    def is_nonnegative(self, term: ir.Expr) -> bool:
        """Known from the syntax to be a number of at least 0."""
        match term:
            case ir.Const(value=value):
                return isinstance(value, (int, float)) and value >= 0
            case ir.Size():
                return True
            case ir.Var(name=name):
                return name in self.positive
            case ir.Binary(op=op, left=left, right=right) if op in ("+", "*", "/", "//", "div"):
                return self.is_nonnegative(left) and self.is_nonnegative(right)
            case _:
                return False

    def _call(self, name: str, args: tuple[ir.Expr, ...]) -> Typed:
        typed = [self.type(argument) for argument in args]
        cells = frozenset(cell for part in typed for cell in part.cells)
        if not cells:
            return FIXED
        declared = self.functions[name]
        result = declared.result
        if not declared.monotone:
            return Typed(Way.UNKNOWN, Kept.PLAIN, result, cells)
        way = Way.FIXED
        for part, wanted in zip(typed, declared.params, strict=True):
            if isinstance(wanted, ir.Lattice):
                fits = part.way is Way.FIXED or core(part.type) == core(wanted)
                way = either(way, part.way if fits else Way.UNKNOWN)
            else:
                way = either(way, plainly(part))
        return Typed(way, Kept.MONOTONE, result, cells)

    def _method(self, name: str, receiver: ir.Expr, args: tuple[ir.Expr, ...]) -> Typed:
        inner = self.type(receiver)
        typed = [inner, *(self.type(argument) for argument in args)]
        cells = frozenset(cell for part in typed for cell in part.cells)
        if not cells:
            return FIXED
        if not isinstance(inner.type, ir.Lattice):
            return Typed(Way.UNKNOWN, Kept.PLAIN, None, cells)
        signature = method_signature(inner.type, name, self.lattices, len(args))
        way = Way.FIXED
        for place, part in enumerate(typed):
            way = either(way, self._moves(part, signature, place))
        kept = max(part.kept for part in typed)
        if signature.kept != "morphism" or len(cells) > 1:
            kept = max(kept, Kept.MONOTONE)
        return Typed(way, kept, signature.result, cells)

    def _moves(self, part: Typed, signature: Signature, place: int) -> Way:
        """How a method's result goes as one argument of it does."""
        if part.way is Way.FIXED:
            return Way.FIXED
        wanted = signature.wants(place)
        way: Way = part.way
        if place > 0 and (wanted is None or core(part.type) != wanted):
            way = plainly(part) if wanted is None else Way.UNKNOWN
        match signature.polarity_of(place):
            case "+":
                return way
            case "-":
                return self._turned(way, part)
            case _:
                return Way.UNKNOWN
