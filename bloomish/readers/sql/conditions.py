"""SQL conditions by three-valued logic.

`cases(node, want)` gives the bodies under which a condition is true, false, not
true or not false; NULL is neither.  A condition without subqueries is one test;
EXISTS and IN are literals on helper relations.
"""

from __future__ import annotations

from itertools import product
from typing import Literal as OneOf

from sqlglot import exp

from bloomish import ir
from bloomish.readers.sql.builder import MOST_CASES, Builder
from bloomish.readers.sql.model import NULL, Alt, Cell, Frame
from bloomish.readers.sql.values import (
    alternatives,
    is_null,
    narrowed,
    not_null,
)

Want = OneOf["true", "false", "not true", "not false"]
Body = tuple[ir.Literal, ...]

_CONTRARY: dict[Want, Want] = {
    "true": "false", "false": "true", "not true": "not false", "not false": "not true",
}  # fmt: skip
Op = OneOf["==", "!=", "<", "<=", ">", ">="]
_COMPARE: dict[type[exp.Expr], tuple[Op, Op]] = {
    exp.EQ: ("==", "!="), exp.NEQ: ("!=", "=="), exp.LT: ("<", ">="), exp.LTE: ("<=", ">"),
    exp.GT: (">", "<="), exp.GTE: (">=", "<"),
}  # fmt: skip
_TRUE, _FALSE = ir.Const(True), ir.Const(False)


def cases(node: exp.Expr, want: Want, frame: Frame, builder: Builder) -> list[Body]:
    """The bodies under which a condition is as wanted; they may overlap."""
    found = _cases(node, want, frame, builder)
    if len(found) > MOST_CASES:
        raise builder.no(node, "it falls into too many cases of NULL, OR and CASE")
    return found


def truth_values(node: exp.Expr, frame: Frame, builder: Builder) -> list[Alt]:
    """A condition as a value: true, false or NULL."""
    made = [Alt(Cell(_TRUE, "bool"), body) for body in cases(node, "true", frame, builder)]
    made += [Alt(Cell(_FALSE, "bool"), body) for body in cases(node, "false", frame, builder)]
    if _may_be_null(node, frame, builder):
        for one in cases(node, "not true", frame, builder):
            for two in cases(node, "not false", frame, builder):
                body = tuple(dict.fromkeys((*one, *two)))
                made.append(Alt(Cell(NULL, "bool", "yes"), body))
    return made


def _may_be_null(node: exp.Expr, frame: Frame, builder: Builder) -> bool:
    """Whether a condition can be neither true nor false."""
    match node:
        case exp.Paren() | exp.Not():
            return _may_be_null(node.this, frame, builder)
        case exp.And() | exp.Or():
            return any(_may_be_null(part, frame, builder) for part in (node.this, node.expression))
        case exp.Exists() | exp.Is() | exp.NullSafeEQ() | exp.NullSafeNEQ():
            return False
        case exp.In() if node.args.get("query") is not None:
            return True
        case exp.In():
            return _may_be_null(_spelled(node), frame, builder)
        case exp.Between():
            return _may_be_null(_bounds(node), frame, builder)
    parts = [node]
    if isinstance(node, (*_COMPARE, exp.Like, exp.ILike)):
        if isinstance(node.expression, exp.Any | exp.All):
            return True
        parts = [node.this, node.expression]
    found = (alt for part in parts for alt in alternatives(part, frame, builder))
    return any(alt.cell.null != "no" for alt in found)


def _cases(node: exp.Expr, want: Want, frame: Frame, builder: Builder) -> list[Body]:
    from bloomish.readers.sql import subqueries

    while isinstance(node, exp.Paren):
        node = node.this
    if node.args.get("negate"):
        return cases(_positive(node), _CONTRARY[want], frame, builder)
    single = test(node, want, frame, builder)
    if single is not None:
        if single == _TRUE:
            return [()]
        return [] if single == _FALSE else [(ir.Condition(single),)]
    match node:
        case exp.Not():
            return cases(node.this, _CONTRARY[want], frame, builder)
        case exp.And() | exp.Or():
            one = cases(node.this, want, frame, builder)
            two = cases(node.expression, want, frame, builder)
            if isinstance(node, exp.And) == (want in ("true", "not false")):
                return [tuple(dict.fromkeys((*a, *b))) for a, b in product(one, two)]
            return list(dict.fromkeys([*one, *two]))
        case exp.Exists():
            return subqueries.exists(node, want, frame, builder)
        case exp.In() if node.args.get("query") is not None:
            return subqueries.within(node, want, frame, builder)
        case exp.In():
            return cases(_spelled(node), want, frame, builder)
        case exp.Between():
            return cases(_bounds(node), want, frame, builder)
        case exp.Binary() if isinstance(node.expression, exp.Any | exp.All):
            return subqueries.quantified(node, want, frame, builder)
        case exp.Is():
            return _is(node, want, frame, builder)
    if isinstance(node, (*_COMPARE, exp.Like, exp.ILike, exp.NullSafeEQ, exp.NullSafeNEQ)):
        return _compared(node, want, frame, builder)
    return _boolean(node, want, frame, builder)


# ------------------------------------------------------------------- single tests


def test(node: exp.Expr, want: Want, frame: Frame, builder: Builder) -> ir.Expr | None:
    """A condition as one expression, None where it needs literals of its own."""
    if node.args.get("negate"):
        return test(_positive(node), _CONTRARY[want], frame, builder)
    match node:
        case exp.Paren():
            return test(node.this, want, frame, builder)
        case exp.Boolean():
            return _TRUE if bool(node.this) == (want in ("true", "not false")) else _FALSE
        case exp.Not():
            return test(node.this, _CONTRARY[want], frame, builder)
        case exp.And() | exp.Or():
            one = test(node.this, want, frame, builder)
            two = test(node.expression, want, frame, builder)
            if one is None or two is None:
                return None
            both = isinstance(node, exp.And) == (want in ("true", "not false"))
            return ir.Binary("and" if both else "or", one, two)
        case exp.In() if node.args.get("query") is None and node.expressions:
            return test(_spelled(node), want, frame, builder)
        case exp.Between():
            return test(_bounds(node), want, frame, builder)
        case exp.Is(expression=exp.Null()):
            cell = _one(node.this, frame, builder)
            if cell is None:
                return None
            yes = (
                _TRUE if cell.null == "yes" else _FALSE if cell.null == "no" else is_null(cell.expr)
            )
            return yes if want in ("true", "not false") else _negated(yes)
    if isinstance(node, (*_COMPARE, exp.Like, exp.ILike)):
        if isinstance(node.expression, exp.Any | exp.All):
            return None
        first, second = _one(node.this, frame, builder), _one(node.expression, frame, builder)
        if first is None or second is None:
            return None
        return compare(node, first, second, want, builder)
    if isinstance(node, exp.NullSafeEQ | exp.NullSafeNEQ):
        first, second = _one(node.this, frame, builder), _one(node.expression, frame, builder)
        if first is None or second is None:
            return None
        return _same(node, first, second, want, builder)
    return None


def _one(node: exp.Expr, frame: Frame, builder: Builder) -> Cell | None:
    """The value of an expression that has but one alternative, without literals."""
    if isinstance(node, exp.Subquery | exp.Select | exp.Exists):
        return None
    found = alternatives(node, frame, builder)
    return found[0].cell if len(found) == 1 and not found[0].when else None


def compare(node: exp.Expr, one: Cell, two: Cell, want: Want, builder: Builder) -> ir.Expr:
    """`one op two` as wanted, where either may be NULL."""
    _comparable(node, one, two, builder)
    guards = [not_null(cell.expr) for cell in (one, two) if cell.null == "maybe"]
    nulls = [is_null(cell.expr) for cell in (one, two) if cell.null == "maybe"]
    if "yes" in (one.null, two.null):
        return _FALSE if want in ("true", "false") else _TRUE
    positive = want in ("true", "not false")
    result = _plain(node, one, two, positive, builder)
    if want in ("true", "false"):
        for guard in reversed(guards):
            result = ir.Binary("and", guard, result)
    else:
        for null in reversed(nulls):
            result = ir.Binary("or", null, result)
    return result


def _plain(node: exp.Expr, one: Cell, two: Cell, positive: bool, builder: Builder) -> ir.Expr:
    if isinstance(node, exp.Like | exp.ILike):
        if node.args.get("escape"):
            raise builder.no(node, "LIKE with ESCAPE")
        name = "sql_like" if isinstance(node, exp.Like) else "sql_ilike"
        call: ir.Expr = builder.call(name, narrowed(one, builder), narrowed(two, builder))
        return call if positive else ir.Unary("not", call)
    op, contrary = _COMPARE[type(node)]
    return ir.Binary(op if positive else contrary, one.expr, two.expr)


def _same(node: exp.Expr, one: Cell, two: Cell, want: Want, builder: Builder) -> ir.Expr:
    """IS [NOT] DISTINCT FROM: never NULL."""
    _comparable(node, one, two, builder)
    equal = isinstance(node, exp.NullSafeEQ) == (want in ("true", "not false"))
    return ir.Binary("==" if equal else "!=", one.expr, two.expr)


def _comparable(node: exp.Expr, one: Cell, two: Cell, builder: Builder) -> None:
    types = {one.type, two.type} - {"null"}
    if len(types) > 1 and types != {"int", "float"}:
        what = f"{node.sql()} compares {one.type} with {two.type}"
        raise builder.no(node, what, "CAST is explicit here")
    if isinstance(node, exp.Like | exp.ILike) and types - {"str"}:
        raise builder.no(node, f"{node.sql()} matches what is no text")


def _negated(test_: ir.Expr) -> ir.Expr:
    if test_ == _TRUE:
        return _FALSE
    if test_ == _FALSE:
        return _TRUE
    if isinstance(test_, ir.Binary) and test_.op == "==":
        return ir.Binary("!=", test_.left, test_.right)
    return ir.Unary("not", test_)


# ---------------------------------------------------------------- by alternatives


def _compared(node: exp.Expr, want: Want, frame: Frame, builder: Builder) -> list[Body]:
    """A comparison of values with several alternatives each."""
    made: list[Body] = []
    ones = alternatives(node.this, frame, builder)
    twos = alternatives(node.expression, frame, builder)
    for one, two in product(ones, twos):
        if isinstance(node, exp.NullSafeEQ | exp.NullSafeNEQ):
            result = _same(node, one.cell, two.cell, want, builder)
        else:
            result = compare(node, one.cell, two.cell, want, builder)
        made.extend(holding(result, (*one.when, *two.when)))
    return list(dict.fromkeys(made))


def _is(node: exp.Is, want: Want, frame: Frame, builder: Builder) -> list[Body]:
    """IS NULL, IS TRUE, IS FALSE: never NULL themselves."""
    positive = want in ("true", "not false")
    if isinstance(node.expression, exp.Boolean):
        inner: Want = "true" if node.expression.this else "false"
        contrary: Want = "not true" if node.expression.this else "not false"
        return cases(node.this, inner if positive else contrary, frame, builder)
    if not isinstance(node.expression, exp.Null):
        raise builder.no(node, f"{node.sql()} is not known")
    made: list[Body] = []
    for alt in alternatives(node.this, frame, builder):
        yes: ir.Expr = is_null(alt.cell.expr)
        if alt.cell.null != "maybe":
            yes = _TRUE if alt.cell.null == "yes" else _FALSE
        made.extend(holding(yes if positive else _negated(yes), alt.when))
    return list(dict.fromkeys(made))


def _boolean(node: exp.Expr, want: Want, frame: Frame, builder: Builder) -> list[Body]:
    """A boolean value as a condition."""
    made: list[Body] = []
    for alt in alternatives(node, frame, builder):
        if alt.cell.type not in ("bool", "null"):
            what = f"{node.sql()} is a {alt.cell.type} and no condition"
            raise builder.no(node, what, "compare it with something")
        expected = _TRUE if want in ("true", "not false") else _FALSE
        equal: ir.Expr = ir.Binary("==", alt.cell.expr, expected)
        if alt.cell.null == "yes":
            equal = _FALSE if want in ("true", "false") else _TRUE
        elif alt.cell.null == "maybe" and want in ("not true", "not false"):
            equal = ir.Binary("or", is_null(alt.cell.expr), equal)
        made.extend(holding(equal, alt.when))
    return list(dict.fromkeys(made))


def holding(result: ir.Expr, when: Body) -> list[Body]:
    if result == _FALSE:
        return []
    if result == _TRUE:
        return [when]
    return [(*when, ir.Condition(result))]


# ----------------------------------------------------------------------- spelled


def _positive(node: exp.Expr) -> exp.Expr:
    """`x LIKE y` of `x NOT LIKE y`."""
    copy = node.copy()
    copy.set("negate", None)
    return copy


def _spelled(node: exp.In) -> exp.Expr:
    """`x IN (a, b)` is `x = a OR x = b`, also where one of them is NULL."""
    made: exp.Expr | None = None
    for item in node.expressions:
        same: exp.Expr = exp.EQ(this=node.this.copy(), expression=item.copy())
        made = same if made is None else exp.Or(this=made, expression=same)
    assert made is not None
    return made


def _bounds(node: exp.Between) -> exp.Expr:
    low = exp.GTE(this=node.this.copy(), expression=node.args["low"].copy())
    high = exp.LTE(this=node.this.copy(), expression=node.args["high"].copy())
    return exp.And(this=low, expression=high)
