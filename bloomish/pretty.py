"""IR back to rule text: what is printed is a program file, and compiles to an equal IR."""

from __future__ import annotations

from bloomish import ir
from bloomish.values import type_text

_AGGREGATES = {"sum": "sum_", "min": "min_", "max": "max_"}

# Python's precedences, of the operators that rules use
_BIND = {
    "==": 1, "!=": 1, "<": 1, "<=": 1, ">": 1, ">=": 1,
    "|": 2, "+": 4, "-": 4, "*": 5, "/": 5, "//": 5, "%": 5,
}  # fmt: skip
_UNARY, _PRIMARY = 6, 7


def expr_text(expr: ir.HeadArg) -> str:
    """An expression or aggregate as a rule writes it."""
    return _expr(expr)[0]


def _expr(expr: ir.HeadArg) -> tuple[str, int]:
    match expr:
        case ir.Var(name):
            return name, _PRIMARY
        case ir.Wild():
            return "_", _PRIMARY
        case ir.Const(value):
            return _constant(value)
        case ir.Unary("-", operand):
            return f"-{_within(operand, _UNARY)}", _UNARY
        case ir.Unary(_, operand):
            return f"not_({expr_text(operand)})", _PRIMARY
        case ir.Binary("or", left, right):
            return f"either({expr_text(left)}, {expr_text(right)})", _PRIMARY
        case ir.Binary("and", left, right):
            return f"{_within(left, _PRIMARY)} & {_within(right, _PRIMARY)}", 3
        case ir.Binary("div", left, right):
            return f"div({expr_text(left)}, {expr_text(right)})", _PRIMARY
        case ir.Binary(op, left, right):
            bind = _BIND[op]
            # comparisons would chain, so both their sides bind tighter
            left_text = _within(left, bind + 1 if bind == 1 else bind)
            return f"{left_text} {op} {_within(right, bind + 1)}", bind
        case ir.Call(function, args):
            return f"{function}({', '.join(map(expr_text, args))})", _PRIMARY
        case ir.Method(name, receiver, args):
            inside = ", ".join(map(expr_text, args))
            return f"{_within(receiver, _PRIMARY)}.{name}({inside})", _PRIMARY
        case ir.Size(of):
            return f"size({of if isinstance(of, str) else expr_text(of)})", _PRIMARY
        case ir.Here():
            return "here", _PRIMARY
        case ir.Now():
            return "now()", _PRIMARY
        case ir.TickNumber():
            return "tick_number()", _PRIMARY
        case ir.Random():
            return "random()", _PRIMARY
        case ir.TupleExpr(items):
            inside = ", ".join(map(expr_text, items))
            return f"({inside},)" if len(items) == 1 else f"({inside})", _PRIMARY
        case ir.SetExpr(items):
            return "{" + ", ".join(map(expr_text, items)) + "}", _PRIMARY
        case ir.MapExpr(items):
            inside = ", ".join(f"{expr_text(k)}: {expr_text(v)}" for k, v in items)
            return "{" + inside + "}", _PRIMARY
        case ir.Aggregate(name, value, by):
            written = [expr_text(value)] if value is not None else []
            if by is not None:
                written.append(f"by={expr_text(by)}")
            return f"{_AGGREGATES.get(name, name)}({', '.join(written)})", _PRIMARY
    raise TypeError(f"not an expression: {expr!r}")


def _within(expr: ir.Expr, bind: int) -> str:
    text, binds = _expr(expr)
    return text if binds >= bind else f"({text})"


def _constant(value: object) -> tuple[str, int]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        text = repr(value)
        if text in ("inf", "-inf"):
            text = f'float("{text}")'
            return text, _PRIMARY
        return text, _UNARY if text.startswith("-") else _PRIMARY
    if isinstance(value, str):
        return _string(value), _PRIMARY
    if isinstance(value, tuple):
        inside = ", ".join(_constant(item)[0] for item in value)
        return (f"({inside},)" if len(value) == 1 else f"({inside})"), _PRIMARY
    if isinstance(value, (frozenset, set)):
        if not value:
            return "set()", _PRIMARY
        return "{" + ", ".join(sorted(_constant(item)[0] for item in value)) + "}", _PRIMARY
    return repr(value), _PRIMARY


def _string(value: str) -> str:
    """In double quotes, as this project writes them."""
    text = repr(value)
    if text.startswith("'") and '"' not in text:
        return f'"{text[1:-1]}"'.replace("\\'", "'")
    return text


def atom_text(collection: str, args: tuple[ir.HeadArg, ...]) -> str:
    """`link(x, y)`."""
    return f"{collection}({', '.join(map(expr_text, args))})"


def literal_text(literal: ir.Literal) -> str:
    """A literal as a body writes it."""
    match literal:
        case ir.Atom(collection, args, negated, at):
            text = atom_text(collection, args)
            if at is not None:
                text = f"at({at}, {text})"
            return f"notin({text})" if negated else text
        case ir.Condition(test):
            if isinstance(test, (ir.Method, ir.Call)) or expr_text(test).startswith(
                ("not_(", "either(")
            ):
                return expr_text(test)
            return f"({expr_text(test)})"
        case ir.Each(items, source):
            return f"each({', '.join(map(expr_text, items))}, {expr_text(source)})"
    raise TypeError(f"not a literal: {literal!r}")


def rule_text(rule: ir.Rule) -> str:
    """A rule on one line; `head <+ first & second`."""
    body = " & ".join(map(literal_text, rule.body))
    return f"{atom_text(rule.head, rule.args)} {rule.op} {body}"


__all__ = ["atom_text", "expr_text", "literal_text", "rule_text", "type_text"]
