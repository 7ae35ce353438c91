"""Values for a rule's variables: from a match, from a head row, from rows of stable relations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bloomish import ir
from bloomish.runtime.sim.ldfi.joins import CompiledRule, Content, Match, Row, divide, less

Binding = dict[str, Any]
Pattern = tuple[Any, ...]
MOST_CASES = 256


class _Free:
    """Any value; `None` would do, were it not that one object prints better."""

    def __repr__(self) -> str:
        return "_"


FREE = _Free()


def evaluate(expression: ir.HeadArg, binding: Mapping[str, Any]) -> Any:
    """The value, or FREE where a variable is unbound."""
    if isinstance(expression, ir.Const):
        return expression.value
    if isinstance(expression, ir.Var):
        return binding.get(expression.name, FREE)
    if isinstance(expression, ir.Binary):
        left, right = evaluate(expression.left, binding), evaluate(expression.right, binding)
        if left is FREE or right is FREE:
            return FREE
        return _OPERATIONS[expression.op](left, right)
    if isinstance(expression, ir.Unary):
        operand = evaluate(expression.operand, binding)
        if operand is FREE:
            return FREE
        return -operand if expression.op == "-" else not operand
    return FREE


_OPERATIONS: dict[str, Any] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "div": divide,
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": less,
    ">": lambda a, b: less(b, a),
    "<=": lambda a, b: not less(b, a),
    ">=": lambda a, b: not less(a, b),
}


def conclude(rule: CompiledRule, binding: Binding) -> Binding | None:
    """The binding with what `X == expression` adds; None if a comparison fails."""
    tests = [part.test for part in rule.rule.body if isinstance(part, ir.Condition)]
    grown = True
    while grown:
        grown = False
        for test in tests:
            if not isinstance(test, ir.Binary):
                continue
            value = evaluate(test, binding)
            if value is not FREE:
                if not value:
                    return None
                continue
            for one, other in ((test.left, test.right), (test.right, test.left)):
                if test.op == "==" and isinstance(one, ir.Var) and one.name not in binding:
                    known = evaluate(other, binding)
                    if known is not FREE:
                        binding = {**binding, one.name: known}
                        grown = True
    return binding


def of_match(rule: CompiledRule, match: Match) -> Binding:
    """The variables of a match, from the rows it used."""
    binding: Binding = {}
    for atom, row in zip(rule.positive, match.rows, strict=True):
        for arg, value in zip(atom.args, row, strict=True):
            if isinstance(arg, ir.Var):
                binding[arg.name] = value
    concluded = conclude(rule, binding)
    return binding if concluded is None else concluded


def of_head(rule: CompiledRule, pattern: Pattern) -> Binding | None:
    """The variables that a head row (FREE: any value) determines; None if it cannot be."""
    binding: Binding = {}
    for arg, value in zip(rule.rule.args, pattern, strict=True):
        if value is FREE or isinstance(arg, ir.Aggregate):
            continue
        known = evaluate(arg, binding)
        if known is FREE:
            if isinstance(arg, ir.Var):
                binding[arg.name] = value
        elif known != value:
            return None
    return conclude(rule, binding)


def matches(pattern: Pattern, row: Row) -> bool:
    return all(want is FREE or want == value for want, value in zip(pattern, row, strict=True))


def matching(content: Content, atom: ir.Atom, pattern: Pattern) -> list[Row]:
    """The rows of the atom's collection that fit, by an index on what is bound."""
    columns = tuple(place for place, value in enumerate(pattern) if value is not FREE)
    if not columns:
        return list(content.rows(atom.collection, atom.at))
    if len(columns) == len(pattern):
        return [pattern] if pattern in content.rows(atom.collection, atom.at) else []
    key = pattern[columns[0]] if len(columns) == 1 else tuple(pattern[c] for c in columns)
    return list(content.by(atom.collection, atom.at, columns).get(key, ()))


def pattern_of(atom: ir.Atom, binding: Mapping[str, Any]) -> Pattern:
    """The atom's columns as far as they are bound."""
    return tuple(evaluate(arg, binding) for arg in atom.args)


def is_bound(atom: ir.Atom, pattern: Pattern) -> bool:
    """No variable is left: what is FREE is a `_`."""
    return all(
        value is not FREE or isinstance(arg, ir.Wild)
        for arg, value in zip(atom.args, pattern, strict=True)
    )


def cases(
    rule: CompiledRule, binding: Binding, content: Content, stable: frozenset[str]
) -> Iterator[Binding]:
    """The binding extended by all rows of relations that cannot gain any.

    Above MOST_CASES the binding is left as it is, which is less exact and as safe.
    """
    atoms = [atom for atom in rule.positive if atom.collection in stable]
    found: list[Binding] = [binding]
    while atoms:
        atom = max(atoms, key=lambda one: sum(v is not FREE for v in pattern_of(one, binding)))
        atoms.remove(atom)
        extended: list[Binding] = []
        for one in found:
            for row in matching(content, atom, pattern_of(atom, one)):
                more = _extend(rule, atom, row, one)
                if more is not None:
                    extended.append(more)
            if len(extended) > MOST_CASES:
                yield binding
                return
        found = extended
        binding = found[0] if found else binding
    unique = {tuple(sorted((k, str(v)) for k, v in one.items())): one for one in found}
    yield from unique.values()


def _extend(rule: CompiledRule, atom: ir.Atom, row: Row, binding: Binding) -> Binding | None:
    more = dict(binding)
    for arg, value in zip(atom.args, row, strict=True):
        if isinstance(arg, ir.Var) and more.setdefault(arg.name, value) != value:
            return None
    return conclude(rule, more)
