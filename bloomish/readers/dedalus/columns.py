"""Column types, inferred by unification, as in Molly's typer.

Columns that share a variable share a type; constants, arithmetic, aggregates
and first columns (locations) are evidence.  A location is a string, so
LOCATION beats STRING; anything else is a conflict.  Two programs of Molly's
own corpus fail its typer yet run, so conflicts are warnings and the columns
become untyped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from bloomish.ir import Plain, Span
from bloomish.readers.dedalus.parser import COMPARISONS
from bloomish.readers.dedalus.sources import Warn
from bloomish.readers.dedalus.syntax import (
    AggregateOf,
    Argument,
    Clause,
    Fact,
    Name,
    Operation,
    Predicate,
    Value,
)

Evidence = Literal["INT", "STRING", "LOCATION"]
Key = tuple[object, ...]
_TYPES = {"INT": Plain("int"), "STRING": Plain("str"), "LOCATION": Plain("Address")}

# The provided relations: crash(observer, node, time), clock(from, to, time, arrival).
PROVIDED_COLUMNS: dict[str, tuple[Evidence, ...]] = {
    "crash": ("LOCATION", "LOCATION", "INT"),
    "clock": ("LOCATION", "LOCATION", "INT", "INT"),
}


class Columns:
    """The classes of columns that must agree, and what is known of each."""

    def __init__(self) -> None:
        self._parent: dict[Key, Key] = {}
        self._evidence: dict[Key, set[Evidence]] = {}

    def of(self, key: Key) -> Key:
        root = key
        while self._parent.setdefault(root, root) != root:
            root = self._parent[root]
        self._parent[key] = root
        return root

    def same(self, left: Key, right: Key) -> None:
        a, b = self.of(left), self.of(right)
        if a != b:
            self._parent[b] = a
            self._evidence.setdefault(a, set()).update(self._evidence.pop(b, set()))

    def note(self, key: Key, evidence: Evidence) -> None:
        self._evidence.setdefault(self.of(key), set()).add(evidence)

    def known(self, key: Key) -> set[Evidence]:
        return self._evidence.get(self.of(key), set())


def infer_columns(
    statements: Sequence[Fact | Clause], places: dict[str, Span], arities: dict[str, int]
) -> tuple[dict[str, tuple[Plain, ...]], list[Warn]]:
    """A type per column of every predicate, and what could not be decided."""
    columns = Columns()
    for number, statement in enumerate(statements):
        _constrain(columns, number, statement)
    defined = {s.predicate.name if isinstance(s, Fact) else s.head.name for s in statements}
    for name, provided in PROVIDED_COLUMNS.items():
        for position in range(0 if name in defined else arities.get(name, 0)):
            columns.note((name, position), provided[position])
    types: dict[str, tuple[Plain, ...]] = {}
    warnings: list[Warn] = []
    for name, arity in arities.items():
        found = []
        for position in range(arity):
            known = columns.known((name, position))
            if "INT" in known and len(known) > 1:
                kinds = " and ".join(sorted(known))
                message = f"column {position + 1} of {name} is used as {kinds}; it stays untyped"
                warnings.append(Warn(places[name], message))
            elif not known:
                message = f"nothing tells the type of column {position + 1} of {name}"
                warnings.append(Warn(places[name], message))
            found.append(_decide(known))
        types[name] = tuple(found)
    return types, warnings


def _decide(known: set[Evidence]) -> Plain:
    if not known or ("INT" in known and len(known) > 1):
        return Plain("Any")
    for kind in ("LOCATION", "STRING", "INT"):
        if kind in known:
            return _TYPES[kind]
    raise AssertionError(known)


def _constrain(columns: Columns, rule: int, statement: Fact | Clause) -> None:
    if isinstance(statement, Fact):
        _predicate(columns, rule, statement.predicate)
        return
    _predicate(columns, rule, statement.head)
    for term in statement.body:
        if isinstance(term, Predicate):
            _predicate(columns, rule, term)
        else:
            _expression(columns, (rule, "test", id(term)), rule, term.test)


def _predicate(columns: Columns, rule: int, predicate: Predicate) -> None:
    for position, argument in enumerate(predicate.args):
        key = (predicate.name, position)
        _expression(columns, key, rule, argument)
    if predicate.args:
        columns.note((predicate.name, 0), "LOCATION")


def _expression(columns: Columns, key: Key, rule: int, argument: Argument) -> None:
    """`key` stands for the argument's type."""
    if isinstance(argument, Value):
        columns.note(key, "INT" if isinstance(argument.value, int) else "STRING")
    elif isinstance(argument, Name):
        if argument.is_variable:
            columns.same(key, (rule, argument.text))
        elif not argument.is_wild:
            columns.note(key, "STRING")
    elif isinstance(argument, AggregateOf):
        if argument.function in ("max", "min"):
            columns.same(key, (rule, argument.variable))
        else:
            columns.note(key, "INT")
            if argument.function == "sum":
                columns.note((rule, argument.variable), "INT")
    else:
        _operation(columns, key, rule, argument)


def _operation(columns: Columns, key: Key, rule: int, operation: Operation) -> None:
    left, right = (rule, "left", id(operation)), (rule, "right", id(operation))
    _expression(columns, left, rule, operation.left)
    _expression(columns, right, rule, operation.right)
    columns.same(left, right)
    if operation.op not in COMPARISONS:
        columns.note(left, "INT")
        columns.same(key, left)


def names(argument: Argument) -> Iterable[tuple[str, Span]]:
    """The variables of a column or comparison with their places, in the order written."""
    if isinstance(argument, Name) and argument.is_variable:
        yield argument.text, argument.span
    elif isinstance(argument, AggregateOf):
        yield argument.variable, argument.span
    elif isinstance(argument, Operation):
        yield from names(argument.left)
        yield from names(argument.right)


def variables(argument: Argument) -> Iterable[str]:
    """The variables alone."""
    return (name for name, _ in names(argument))
