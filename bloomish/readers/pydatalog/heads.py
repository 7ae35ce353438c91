"""Heads, facts and assignments: the outer shapes of a clause."""

from __future__ import annotations

import ast

from bloomish.ir import Span
from bloomish.readers.pydatalog.bodies import Bodies
from bloomish.readers.pydatalog.clauses import (
    Agg,
    AggregateName,
    C,
    Clause,
    Cmp,
    Fact,
    Item,
    Op,
    Pred,
    Term,
    Tup,
    V,
)
from bloomish.readers.refusal import refusal

_AGGREGATES: dict[str, AggregateName] = {
    "sum": "sum_", "sum_": "sum_", "_sum": "sum_",
    "len": "len_", "len_": "len_", "_len": "len_",
    "min": "min_", "min_": "min_", "_min": "min_",
    "max": "max_", "max_": "max_", "_max": "max_",
    "mean_": "mean_", "concat": "concat_", "concat_": "concat_", "tuple_": "tuple_",
    "rank": "rank_", "rank_": "rank_", "running_sum": "running_sum_",
    "running_sum_": "running_sum_", "linear_regression_": "linear_regression_",
}  # fmt: skip

# What each aggregate takes and what it cannot do without (pyDatalog's `required_kw`).
_KEYWORDS: dict[AggregateName, tuple[str, ...]] = {
    "sum_": ("for_each",), "len_": (), "min_": ("order_by",), "max_": ("order_by",),
    "mean_": ("for_each",), "concat_": ("order_by", "sep"), "tuple_": ("order_by",),
    "rank_": ("order_by",), "running_sum_": ("group_by", "order_by"),
    "linear_regression_": ("for_each",),
}  # fmt: skip
_OPTIONAL: dict[AggregateName, tuple[str, ...]] = {"rank_": ("group_by",)}


class Heads(Bodies):
    """Reads what stands left of `<=`, behind `+` and `-`, and before `=`."""

    def is_head(self, node: ast.expr) -> bool:
        """Whether `node <= ...` is a clause and not a comparison of values."""
        match node:
            case ast.Call(func=ast.Name() | ast.Attribute()):
                return True
            case ast.Compare(left=ast.Subscript(), ops=[ast.Eq()]):
                return True
        return False

    def clause(self, node: ast.Compare) -> Clause:
        """`head <= body`."""
        span = self.where.span(node)
        body_node = node.comparators[0]
        head, agg = node.left, None
        match head:
            case ast.Compare(left=ast.Subscript() as function, comparators=[value]):
                agg = self._aggregate(value)
                keys, sig = self.function(function)
                args = keys if agg else (*keys, self.term(value))
            case _:
                literal = self.literal(head)
                last = literal[-1]
                if not isinstance(last, Pred):
                    raise refusal(self.where.span(head), "this cannot be the head of a clause")
                sig, args = last.sig, last.args
        for arg, place in ((a, head) for a in args):
            if not isinstance(arg, V | C | Tup):
                raise refusal(
                    self.where.span(place),
                    "an expression in a head: pyDatalog finds nothing by such a clause",
                    "compute it in the body, as in p(Y) <= q(X) & (Y==X+1)",
                )
        if isinstance(body_node, ast.Constant) and body_node.value is None:
            raise refusal(span, "`head <= None` takes clauses away", "leave those clauses out")
        return Clause(sig, args, self.body(body_node), span, agg)

    def fact(self, node: ast.expr, span: Span, gone: bool = False) -> Fact:
        """`+p('a')`, `-p('a')`, `+(f['a'] == 1)`."""
        match node:
            case ast.Compare(left=ast.Subscript() as function, ops=[ast.Eq()], comparators=[value]):
                keys, sig = self.function(function)
                args = (*keys, self.term(value))
            case ast.Call(func=ast.Name()):
                literal = self.literal(node)[-1]
                if not isinstance(literal, Pred):
                    raise refusal(span, "this is not a fact")
                sig, args = literal.sig, literal.args
            case _:
                mend = "write +p('a'), or +(f['a'] == 1) with parentheses"
                raise refusal(span, "this is not a fact", mend)
        return Fact(sig, tuple(self._ground(arg, span) for arg in args), gone, span)

    def assignment(self, target: ast.Subscript, value: ast.expr, span: Span) -> Fact | Clause:
        """`f['a'] = 1` is a fact; `f[X] = X + 1` a clause (pyDatalog `Term.__setitem__`)."""
        keys, sig = self.function(target)
        term = self.term(value)
        if not any(_open(part) for part in (*keys, term)):
            row = tuple(self._ground(part, span) for part in (*keys, term))
            return Fact(sig, row, False, span)
        result = V("Value_of_" + sig.name)
        return Clause(sig, (*keys, result), (Cmp("==", result, term, span),), span)

    def deletion(self, target: ast.expr, span: Span) -> Fact:
        """`del f['a']`."""
        if not isinstance(target, ast.Subscript):
            raise refusal(span, "only a function's value can be deleted, as in del f['a']")
        keys, sig = self.function(target)
        if any(_open(key) for key in keys):
            mend = "leave those clauses out"
            raise refusal(span, "del with a variable takes the function's clauses away", mend)
        return Fact(sig, (*(self._ground(key, span) for key in keys), None), True, span)

    # ------------------------------------------------------------- aggregates

    def _aggregate(self, node: ast.expr) -> Agg | None:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            return None
        name = _AGGREGATES.get(node.func.id)
        if name is None:
            return None
        span = self.where.span(node)
        values = [self._variable(arg) for arg in node.args]
        if len(values) != (0 if name == "rank_" else 1):
            raise refusal(span, f"{name} aggregates one variable")
        given: dict[str, ast.expr] = {}
        for keyword in node.keywords:
            given[self._keyword(name, keyword.arg or "**", span)] = keyword.value
        for needed in _KEYWORDS[name]:
            if needed not in given:
                raise refusal(span, f"{name} needs {needed}=, as in pyDatalog")
        sep = given.get("sep")
        if sep is not None and not (isinstance(sep, ast.Constant) and isinstance(sep.value, str)):
            raise refusal(span, "sep= must be a string")
        return Agg(
            name,
            values[0] if values else None,
            self._variables(given.get("group_by")),
            self._variables(given.get("for_each")),
            self._order(given.get("order_by")),
            str(sep.value) if isinstance(sep, ast.Constant) else "",
        )

    def _keyword(self, name: AggregateName, keyword: str, span: Span) -> str:
        allowed = _KEYWORDS[name] + _OPTIONAL.get(name, ())
        if keyword == "key":  # the older spelling of the first keyword
            keyword = allowed[0] if allowed else keyword
        if keyword not in allowed:
            raise refusal(span, f"{name} takes no {keyword}=")
        return keyword

    def _variables(self, node: ast.expr | None) -> tuple[V, ...]:
        if node is None:
            return ()
        parts = node.elts if isinstance(node, ast.Tuple | ast.List) else [node]
        return tuple(self._variable(part) for part in parts)

    def _order(self, node: ast.expr | None) -> tuple[tuple[V, bool], ...]:
        if node is None:
            return ()
        parts = node.elts if isinstance(node, ast.Tuple | ast.List) else [node]
        order = []
        for part in parts:
            down = isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.USub)
            inner = part.operand if isinstance(part, ast.UnaryOp) and down else part
            order.append((self._variable(inner), down))
        return tuple(order)

    def _variable(self, node: ast.expr) -> V:
        term = self.term(node)
        if not isinstance(term, V):
            span = self.where.span(node)
            mend = "compute it in the body first, as in (W==X*2)"
            raise refusal(span, "the arguments of an aggregate must be variables", mend)
        return term

    # ------------------------------------------------------------ ground terms

    def _ground(self, term: Term, span: Span) -> object:
        match term:
            case C(value):
                return value
            case Tup(items):
                return tuple(self._ground(item, span) for item in items)
        if _open(term):
            raise refusal(span, "a fact holds constants only, no variables")
        raise refusal(span, "a fact's values are constants, not other functions' values")


def _open(term: Term) -> bool:
    """Whether a value is still to be found when the clause is run."""
    match term:
        case C():
            return False
        case Tup(items):
            return any(_open(item) for item in items)
        case V() | Op() | Item():
            return True
    return True
