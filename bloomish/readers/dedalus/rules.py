"""One clause to IR rules: variables, existential negation, aggregates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bloomish import ir
from bloomish.readers.dedalus.columns import names, variables
from bloomish.readers.dedalus.lexer import error
from bloomish.readers.dedalus.sources import Warn
from bloomish.readers.dedalus.syntax import (
    ASYNC,
    NEXT,
    AggregateOf,
    Argument,
    Clause,
    Expression,
    Name,
    Operation,
    Predicate,
    Test,
    Value,
)

# The roster of all declared nodes: what Molly's clock binds a free location to.
ALL_NODES = "node@all"

Types = Mapping[str, tuple[ir.Plain, ...]]
_ARITHMETIC = {"/": "div"}  # integers truncate, as in C4


@dataclass
class Translated:
    """The rules of one clause, hidden collections they need, and warnings."""

    rules: list[ir.Rule] = field(default_factory=list)
    hidden: list[ir.Collection] = field(default_factory=list)
    warnings: list[Warn] = field(default_factory=list)


def translate_clause(clause: Clause, counts: dict[str, int], types: Types) -> Translated:
    """`head :- body;` as one rule (or two, see `_distinct_sums`)."""
    result = Translated()
    bound = _bound(clause)
    location = _location(clause)
    by_clock = []
    if isinstance(location, Name) and location.is_variable and location.text not in bound:
        by_clock.append(location.text)
    to = clause.head.args[0] if clause.head.args else None
    if clause.head.time == ASYNC and isinstance(to, Name) and to.is_variable:
        if to.text not in bound and to.text not in by_clock:
            by_clock.append(to.text)
    bound = _closure(clause, bound | set(by_clock))
    _check_bound(clause, bound)
    body: list[ir.Literal] = [_term(term, bound, result) for term in clause.body]
    body += [ir.Atom(ALL_NODES, (ir.Var(name),), span=clause.span) for name in by_clock]
    head = clause.head
    counts[head.name] = counts.get(head.name, 0) + 1
    name = f"{head.name}_{counts[head.name]}"
    operator: ir.Operator = "<+" if head.time == NEXT else "<~" if head.time == ASYNC else "<="
    target = f"{head.name}@async" if head.time == ASYNC else head.name
    args = tuple(_head(argument) for argument in head.args)
    rule = ir.Rule(name, target, args, operator, tuple(body), span=clause.span)
    _distinct_sums(rule, clause, types, result)
    return result


# ------------------------------------------------------------------- variables


def _location(clause: Clause) -> Argument | None:
    first = next(term for term in clause.body if isinstance(term, Predicate))
    return first.args[0] if first.args else None


def _bound(clause: Clause) -> set[str]:
    """Variables that stand as a column of a positive predicate."""
    return {
        argument.text
        for term in clause.body
        if isinstance(term, Predicate) and not term.negated
        for argument in term.args
        if isinstance(argument, Name) and argument.is_variable
    }


def _closure(clause: Clause, bound: set[str]) -> set[str]:
    """With what `X == expression` binds."""
    tests = [term.test for term in clause.body if isinstance(term, Test) and term.test.op == "=="]
    grown = True
    while grown:
        grown = False
        for test in tests:
            for one, other in ((test.left, test.right), (test.right, test.left)):
                free = isinstance(one, Name) and one.is_variable and one.text not in bound
                if free and all(variable in bound for variable in variables(other)):
                    assert isinstance(one, Name)
                    bound = bound | {one.text}
                    grown = True
    return bound


def _check_bound(clause: Clause, bound: set[str]) -> None:
    places: list[tuple[Argument, str]] = [(argument, "head") for argument in clause.head.args]
    for term in clause.body:
        if isinstance(term, Test):
            places.append((term.test, "comparison"))
        elif not term.negated:
            places += [
                (argument, "column") for argument in term.args if isinstance(argument, Operation)
            ]
    for argument, place in places:
        for variable, span in names(argument):
            if variable not in bound:
                raise error(
                    span,
                    f"{variable} in this {place} is bound by no positive predicate of the body",
                    f"add a predicate with {variable} as a column",
                )
        if _has_wild(argument):
            raise error(
                argument.span, f"`_` has no value to use in a {place}", "use a bound variable"
            )


def _has_wild(argument: Argument) -> bool:
    if isinstance(argument, Operation):
        return _has_wild(argument.left) or _has_wild(argument.right)
    return isinstance(argument, Name) and argument.is_wild


# ----------------------------------------------------------------- expressions


def constant_of(argument: Argument) -> str | int:
    """The value of a fact's column."""
    if isinstance(argument, Value):
        return argument.value
    if isinstance(argument, Name) and not argument.is_variable and not argument.is_wild:
        return argument.text
    raise error(argument.span, "a fact's columns are constants", 'quote it: `"a"`')


def _expression(expression: Expression) -> ir.Expr:
    if isinstance(expression, Value):
        return ir.Const(expression.value)
    if isinstance(expression, Name):
        if expression.is_wild:
            return ir.Wild()
        return ir.Var(expression.text) if expression.is_variable else ir.Const(expression.text)
    op = _ARITHMETIC.get(expression.op, expression.op)
    left, right = _expression(expression.left), _expression(expression.right)
    return ir.Binary(op, left, right)  # type: ignore[arg-type]  # the parser's operators are the IR's


def _head(argument: Argument) -> ir.HeadArg:
    if isinstance(argument, AggregateOf):
        return ir.Aggregate(
            argument.function,  # type: ignore[arg-type]  # checked by the parser
            ir.Var(argument.variable),
        )
    return _expression(argument)


def _term(term: Predicate | Test, bound: set[str], result: Translated) -> ir.Literal:
    if isinstance(term, Test):
        return ir.Condition(_expression(term.test), term.span)
    args = []
    for argument in term.args:
        assert not isinstance(argument, AggregateOf)
        free = [variable for variable in variables(argument) if variable not in bound]
        if not free:
            args.append(_expression(argument))
            continue
        if isinstance(argument, Operation):
            raise error(
                argument.span,
                f"{free[0]} in this column is bound by no positive predicate of the body",
                f"add a predicate with {free[0]} as a column",
            )
        message = f"{free[0]} occurs only in a negated predicate: read as `_` (no such row at all)"
        result.warnings.append(Warn(argument.span, message))
        args.append(ir.Wild())
    at = term.time if isinstance(term.time, int) else None
    return ir.Atom(term.name, tuple(args), term.negated, at, term.span)


# ------------------------------------------------------------------ aggregates


def _distinct_sums(rule: ir.Rule, clause: Clause, types: Types, result: Translated) -> None:
    """A sum ranges over the distinct values of the named variables (Molly's
    `agg_vars` rewrite), an IR aggregate over all matches, those of `_` too.

    Where they differ, the variables are first collected in a scratch.
    """
    sums = any(isinstance(arg, ir.Aggregate) and arg.name == "sum" for arg in rule.args)
    positive = [a for a in rule.body if isinstance(a, ir.Atom) and not a.negated]
    wild = any(isinstance(arg, ir.Wild) for atom in positive for arg in atom.args)
    if not (sums and wild):
        result.rules.append(rule)
        return
    location = _location(clause)
    first = () if location is None or _has_wild(location) else (_expression_of(location),)
    named = dict.fromkeys(
        arg.name for atom in positive for arg in atom.args if isinstance(arg, ir.Var)
    )
    row = (*first, *(ir.Var(name) for name in named if ir.Var(name) not in first))
    hidden = f"{rule.name}@vars"
    columns = tuple(
        ir.Column(f"c{position}", _type_of(arg, positive, types))
        for position, arg in enumerate(row)
    )
    result.hidden.append(ir.Collection(hidden, "scratch", columns, span=rule.span))
    result.rules.append(
        ir.Rule(hidden, hidden, row, "<=", rule.body, origin="distinct", span=rule.span)
    )
    body = (ir.Atom(hidden, row, span=rule.span),)
    result.rules.append(ir.Rule(rule.name, rule.head, rule.args, rule.op, body, span=rule.span))


def _expression_of(argument: Argument) -> ir.Expr:
    assert not isinstance(argument, AggregateOf)
    return _expression(argument)


def _type_of(arg: ir.Expr, atoms: list[ir.Atom], types: Types) -> ir.Type:
    for atom in atoms:
        for position, other in enumerate(atom.args):
            if other == arg and atom.collection in types:
                return types[atom.collection][position]
    return ir.Plain("Any")
