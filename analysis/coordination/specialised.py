"""A module that never looks into its columns `part` and `row`, with columns of its user's there.

A parametric program does the same with whatever is in such a place, so a list of
typed columns may stand there as well as one value: every variable and every `_`
at a place becomes as many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from bloomish import ir

T = TypeVar("T")
Places = Mapping[str, Sequence[ir.Column]]
"""Column of the module -> the columns that stand for it."""


def specialised(program: ir.Program, places: Places) -> ir.Program:
    """The program with these columns in place of its own of that name."""
    shapes = {c.name: tuple(column.name for column in c.columns) for c in program.collections}
    return replace(
        program,
        collections=tuple(
            replace(c, columns=tuple(_columns(c.columns, places))) for c in program.collections
        ),
        rules=tuple(_rule(rule, shapes, places) for rule in program.rules),
    )


def _columns(columns: Iterable[ir.Column], places: Places) -> Iterable[ir.Column]:
    for column in columns:
        if column.name in places:
            yield from (replace(one, key=column.key) for one in places[column.name])
        else:
            yield column


def _rule(rule: ir.Rule, shapes: Mapping[str, tuple[str, ...]], places: Places) -> ir.Rule:
    body = tuple(
        replace(part, args=tuple(_args(part.args, shapes[part.collection], places)))
        if isinstance(part, ir.Atom)
        else part
        for part in rule.body
    )
    return replace(rule, args=tuple(_args(rule.args, shapes[rule.head], places)), body=body)


def _args(args: Sequence[T], columns: Sequence[str], places: Places) -> Iterator[T | ir.Expr]:
    for argument, column in zip(args, columns, strict=True):
        if column not in places:
            yield argument
        elif isinstance(argument, ir.Wild):
            yield from (ir.Wild() for _ in places[column])
        else:
            yield from (ir.Var(one.name) for one in places[column])


def free_names(columns: Sequence[ir.Column], program: ir.Program) -> tuple[ir.Column, ...]:
    """The columns, renamed where the module has a column or variable of that name."""
    taken = {column.name for c in program.collections for column in c.columns}
    for rule in program.rules:
        atoms = [part for part in rule.body if isinstance(part, ir.Atom)]
        for args in (rule.args, *(atom.args for atom in atoms)):
            taken |= {argument.name for argument in args if isinstance(argument, ir.Var)}
    found: list[ir.Column] = []
    for column in columns:
        name = column.name
        while name in taken:
            name += "_"
        taken.add(name)
        found.append(ir.Column(name, column.type))
    return tuple(found)
