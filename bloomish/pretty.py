"""IR back to rule text, as a program writes it.

`Writer` has three hooks for names, so that a whole file can resolve what would
clash in Python (see `pretty_file`).
"""

from __future__ import annotations

from bloomish import ir
from bloomish.order import order_key
from bloomish.values import type_text

_AGGREGATES = {"sum": "sum_", "min": "min_", "max": "max_"}

# Python's precedences, of the operators that rules use
_BIND = {
    "==": 1, "!=": 1, "<": 1, "<=": 1, ">": 1, ">=": 1,
    "|": 2, "+": 4, "-": 4, "*": 5, "/": 5, "//": 5, "%": 5,
}  # fmt: skip
_AND, _UNARY, _PRIMARY = 3, 6, 7
Text = tuple[str, int]  # and how tightly it binds


class Writer:
    """Expressions, literals and rules as text."""

    def collection(self, name: str) -> str:
        """How the text refers to a collection."""
        return name

    def variable(self, name: str) -> str:
        """How the text refers to a variable."""
        return name

    def word(self, name: str) -> str:
        """How the text refers to a name of the language, or a function."""
        return name

    def type(self, type_: ir.Type) -> str:
        """How the text writes a type."""
        return type_text(type_)

    # -------------------------------------------------------------- expressions

    def expr(self, expr: ir.HeadArg) -> str:
        """An expression or aggregate."""
        return self._expr(expr)[0]

    def _list(self, exprs: tuple[ir.Expr, ...]) -> str:
        return ", ".join(map(self.expr, exprs))

    def _call(self, word: str, *args: str) -> Text:
        return f"{self.word(word)}({', '.join(args)})", _PRIMARY

    def _expr(self, expr: ir.HeadArg) -> Text:
        match expr:
            case ir.Var(name):
                return self.variable(name), _PRIMARY
            case ir.Wild():
                return self.word("_"), _PRIMARY
            case ir.Const(value):
                return _constant(value)
            case ir.Unary("-", operand):
                return f"-{self._term(operand, _UNARY)}", _UNARY
            case ir.Unary(_, operand):
                return self._call("not_", self.expr(operand))
            case ir.Binary():
                return self._binary(expr)
            case ir.Call(function, args):
                return self._call(function, self._list(args))
            case ir.Method(name, receiver, args):
                return f"{self._term(receiver, _PRIMARY)}.{name}({self._list(args)})", _PRIMARY
            case ir.Size(of):
                return self._call(
                    "size", self.collection(of) if isinstance(of, str) else self.expr(of)
                )
            case ir.Here():
                return self.word("here"), _PRIMARY
            case ir.Now():
                return self._call("now")
            case ir.TickNumber():
                return self._call("tick_number")
            case ir.Random():
                return self._call("random")
            case ir.TupleExpr(items):
                return f"({self._list(items)}{',' if len(items) == 1 else ''})", _PRIMARY
            case ir.SetExpr(items):
                return "{" + ", ".join(map(self._hashed, items)) + "}", _PRIMARY
            case ir.MapExpr(items):
                inside = ", ".join(f"{self._hashed(k)}: {self.expr(v)}" for k, v in items)
                return "{" + inside + "}", _PRIMARY
            case ir.Field(of, place, type_):
                return self._call("field", self.expr(of), str(place), self.type(type_))
            case ir.Aggregate(name, value, by):
                written = [self.expr(value)] if value is not None else []
                if by is not None:
                    written.append(f"by={self.expr(by)}")
                return self._call(_AGGREGATES.get(name, name), *written)
        raise TypeError(f"not an expression: {expr!r}")

    def _hashed(self, expr: ir.Expr) -> str:
        """An element of a set or a key of a map, which Python wants to be hashable."""
        match expr:
            case ir.Const(value):
                return _constant(value, True)[0]
            case ir.TupleExpr(items):
                inside = ", ".join(map(self._hashed, items))
                return f"({inside}{',' if len(items) == 1 else ''})"
            case ir.SetExpr() | ir.MapExpr():
                return self._call("lift", self.expr(expr))[0]
        return self.expr(expr)

    def _binary(self, expr: ir.Binary) -> Text:
        op, left, right = expr.op, expr.left, expr.right
        if op == "or":
            return self._call("either", self.expr(left), self.expr(right))
        if op == "div":
            return self._call("div", self.expr(left), self.expr(right))
        if op == "and":
            return f"{self._test(left)} & {self._test(right)}", _AND
        bind = _BIND[op]
        # Comparisons would chain, so both their sides bind tighter.
        tighter = bind + 1
        near = self._within(left, tighter if bind == 1 else bind)
        # Python would compute what has no term in it, and turn `0 == x` round to `x == 0`.
        if _is_python(left) and (bind == 1 or op == "%" or _is_python(right)):
            near = self._call("lift", self.expr(left))[0]
        return f"{near} {op} {self._within(right, tighter)}", bind

    def _within(self, expr: ir.Expr, bind: int) -> str:
        text, binds = self._expr(expr)
        return text if binds >= bind else f"({text})"

    def _term(self, expr: ir.Expr, bind: int) -> str:
        """An operand that must be a term and not a Python value."""
        if _is_python(expr):
            return self._call("lift", self.expr(expr))[0]
        return self._within(expr, bind)

    def _test(self, test: ir.Expr) -> str:
        """A condition as an operand of `&`."""
        text, binds = self._expr(test)
        if isinstance(test, ir.Binary) and test.op == "and":
            return text
        return text if binds == _PRIMARY else f"({text})"

    # ----------------------------------------------------------------- literals

    def atom(self, collection: str, args: tuple[ir.HeadArg, ...]) -> str:
        """`link(x, y)`."""
        return f"{self.collection(collection)}({', '.join(map(self.expr, args))})"

    def literal(self, literal: ir.Literal) -> str:
        """A literal as a body writes it."""
        match literal:
            case ir.Atom(collection, args, negated, at):
                text = self.atom(collection, args)
                if at is not None:
                    text = self._call("at", str(at), text)[0]
                return self._call("notin", text)[0] if negated else text
            case ir.Condition(test):
                return self._test(test)
            case ir.Each(items, source):
                return self._call("each", self._list((*items, source)))[0]
        raise TypeError(f"not a literal: {literal!r}")

    def rule(self, rule: ir.Rule) -> str:
        """A rule on one line; `head <+ first & second`."""
        body = " & ".join(map(self.literal, rule.body))
        return f"{self.atom(rule.head, rule.args)} {rule.op} {body}"


def _is_python(expr: ir.Expr) -> bool:
    """Is its text a plain Python value, which has Python's own operators?"""
    return isinstance(expr, (ir.Const, ir.TupleExpr, ir.SetExpr, ir.MapExpr))


def _constant(value: object, hashed: bool = False) -> Text:
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return f'float("{value}")', _PRIMARY
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        text = repr(value)
        return text, _UNARY if text.startswith("-") else _PRIMARY
    if isinstance(value, str):
        return _string(value), _PRIMARY
    if isinstance(value, tuple):
        inside = ", ".join(_constant(item, hashed)[0] for item in value)
        return f"({inside}{',' if len(value) == 1 else ''})", _PRIMARY
    if isinstance(value, (frozenset, set)):
        inside = ", ".join(_constant(item, True)[0] for item in sorted(value, key=order_key))
        text = "{" + inside + "}" if value else ""
        if hashed:  # a set within a set must be hashable
            return f"frozenset({text})", _PRIMARY
        return text or "set()", _PRIMARY
    return repr(value), _PRIMARY


def value_text(value: object) -> str:
    """A value of the language as a program writes it."""
    return _constant(value)[0]


def _string(value: str) -> str:
    """In double quotes where that needs no escape."""
    text = repr(value)
    if text.startswith("'") and '"' not in text:
        return '"' + text[1:-1].replace("\\'", "'") + '"'
    return text


_PLAIN = Writer()
expr_text = _PLAIN.expr
atom_text = _PLAIN.atom
literal_text = _PLAIN.literal
rule_text = _PLAIN.rule

__all__ = [
    "Writer", "atom_text", "expr_text", "literal_text", "rule_text", "type_text", "value_text",
]  # fmt: skip
