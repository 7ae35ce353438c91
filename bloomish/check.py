"""Is a program right as written?  The passes, each for the whole program, in order."""

from __future__ import annotations

from collections.abc import Callable

from bloomish import ir
from bloomish.errors import ProgramError, counted
from bloomish.growth import growth
from bloomish.pretty import expr_text
from bloomish.safety import order_body
from bloomish.schema import Schema
from bloomish.strata import strata
from bloomish.types import Typing
from bloomish.values import Values

_KEPT = frozenset({"<=", "<+", "<-", "<+-"})
_VIEW = frozenset({"<=", "<+"})
OPERATORS: dict[ir.Kind, frozenset[str]] = {
    "table": _KEPT,
    "scratch": _VIEW,
    "output": _VIEW,
    "invariant": _VIEW,
    "eventually": _VIEW,
    "channel": frozenset({"<~"}),
    "input": frozenset(),
    "const": frozenset(),
    "roster": frozenset(),
    "periodic": frozenset(),
}
_FED_BY = {
    "input": "a host feeds it",
    "const": "it never changes; it takes facts",
    "roster": "the cluster fixes it at start",
    "periodic": "the clock feeds it",
}


def check(program: ir.Program, values: Values | None = None) -> None:
    """Raise ProgramError for the first thing that is wrong."""
    schema = Schema(program)
    for each_pass in PASSES:
        each_pass(schema, values or Values(program.lattices))


def heads(schema: Schema, values: Values) -> None:
    """Collections exist, columns are counted, operators suit the head's kind."""
    for rule in schema.program.rules:
        _atom(schema, rule.span, rule.head, len(rule.args))
        for literal in rule.body:
            if isinstance(literal, ir.Atom):
                _atom(schema, rule.span, literal.collection, len(literal.args))
        head = schema.collections[rule.head]
        if rule.op not in OPERATORS[head.kind]:
            raise _wrong_operator(rule, head)
        if rule.op == "<+-" and not any(column.key for column in head.columns):
            raise ProgramError(
                rule.span,
                f"`<+-` replaces by key, and `{head.name}` has no key",
                f"declare it: `{head.columns[0].name}=Key(...)`, or a column beside it that names "
                "the value, such as `name=Key(str)`",
            )
        kinds = {arg.name for arg in rule.args if isinstance(arg, ir.Aggregate)}
        if "index" in kinds and len(kinds) > 1:
            raise ProgramError(
                rule.span,
                "`index` keeps every row, and the other aggregates make one row of a group",
                "write two rules",
            )


def _atom(schema: Schema, span: ir.Span, name: str, given: int) -> None:
    found = schema.collections.get(name)
    if found is None:
        raise ProgramError(
            span, f"`{name}` is not a collection of this program", "declare it in the class body"
        )
    if len(found.columns) != given:
        raise ProgramError(
            span,
            f"`{name}` has {counted(len(found.columns), 'column')} and is given {given}",
            f"write `{name}({', '.join(column.name for column in found.columns)})`",
        )


def _wrong_operator(rule: ir.Rule, head: ir.Collection) -> ProgramError:
    name = head.name
    if head.kind in _FED_BY:
        return ProgramError(
            rule.span,
            f"no rule may derive into `{name}`: it is {_a(head.kind)}, and {_FED_BY[head.kind]}",
            "derive into a table, scratch, output or channel",
        )
    if head.kind == "channel":
        return ProgramError(
            rule.span,
            f"`{rule.op}` into the channel `{name}`: a channel takes `<~` only, as its rows travel",
            f"write `{name}(...) <~ ...`",
        )
    if rule.op == "<~":
        return ProgramError(
            rule.span,
            f"`<~` into the {head.kind} `{name}`: only a channel's rows travel",
            f"send through a channel, or write `<=` (now) or `<+` (next tick) into `{name}`",
        )
    return ProgramError(
        rule.span,
        f"`{rule.op}` into the {head.kind} `{name}`: only a table keeps rows that could be "
        + ("deleted" if rule.op == "<-" else "replaced"),
        f"make `{name}` a table, or derive its rows with `<=` or `<+`",
    )


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def safety(schema: Schema, values: Values) -> None:
    """Every variable is bound before it is used."""
    for rule in schema.program.rules:
        order_body(rule)


def types(schema: Schema, values: Values) -> None:
    """Every expression has a type, and every column gets its own."""
    typing = Typing(schema, values)
    for rule in schema.program.rules:
        typing.check(rule)


def facts(schema: Schema, values: Values) -> None:
    """Facts go into tables and consts, and no two disagree on a key."""
    rows: dict[str, dict[tuple[object, ...], tuple[object, ...]]] = {}
    for given in schema.program.facts:
        head = schema.collections.get(given.collection)
        if head is None:
            raise ProgramError(
                given.span, f"`{given.collection}` is not a collection of this program"
            )
        if given.at is None and head.kind not in ("table", "const"):
            mend = {
                "channel": "send them by a rule from a const",
                "input": "a host feeds an input; make it a table or a const",
            }.get(head.kind, f"make `{head.name}` a table or a const, or derive it from one")
            raise ProgramError(
                given.span,
                f"facts into the {head.kind} `{head.name}`: they go into tables and consts",
                mend,
            )
        keys = [number for number, column in enumerate(head.columns) if column.key]
        merged = any(isinstance(column.type, ir.Lattice) for column in head.columns)
        if not keys or merged or given.at is not None:
            continue
        known = rows.setdefault(head.name, {})
        for row in given.rows:
            key = tuple(row[number] for number in keys)
            other = known.setdefault(key, row)
            if other != row:
                raise ProgramError(
                    given.span,
                    f"two facts of `{head.name}` have the key {_row(key)} and differ: "
                    f"{_row(other)} and {_row(row)}",
                    "keep one of them, or make the column that differs part of the key",
                )


def _row(row: tuple[object, ...]) -> str:
    return expr_text(ir.Const(row))


def stratified(schema: Schema, values: Values) -> None:
    """No collection depends on its own absence within a tick."""
    strata(schema)


def lattices_grow(schema: Schema, values: Values) -> None:
    """Recursion over lattices is monotone."""
    growth(schema, Typing(schema, values))


PASSES: tuple[Callable[[Schema, Values], None], ...] = (
    heads,
    safety,
    types,
    facts,
    stratified,
    lattices_grow,
)
