"""Programs near the micro-programs: one or more small changes, kept if still valid.

Random programs seldom have the shapes that the refinements look for (retry,
for-all, seals, incumbents).  A change to a program that has one is likely to
leave the shape and lose its ground, which is what a refinement must notice.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from bloomish import Program, ir
from bloomish.check import check
from bloomish.errors import ProgramError
from bloomish.runtime.evaluator import Row
from tests.programs.micro.expected import EXPECTED
from tests.programs.micro.shapes import SHAPES

BASES: tuple[type[Program], ...] = (*(expected.program for expected in EXPECTED), *SHAPES, *SHAPES)
MAX, MIN = ir.Lattice("Max", (ir.Plain("int"),)), ir.Lattice("Min", (ir.Plain("int"),))
NODES = ("node-0", "node-1")
VALUES: dict[str, tuple[object, ...]] = {
    "int": (0, 1, 2),
    "str": ("a", "b"),
    "Address": NODES,
    "bool": (False, True),
}

Change = Callable[[ir.Program, random.Random], ir.Program]


def mutant(seed: int) -> ir.Program:
    """A micro-program after one to four changes."""
    rng = random.Random(seed)
    program = rng.choice(BASES).ir
    wanted = rng.choice((0, 1, 1, 2, 2, 3, 4))
    for _ in range(wanted):
        for _ in range(6):
            changed = rng.choice(CHANGES)(program, rng)
            if changed != program and _is_valid(changed):
                program = changed
                break
    return program


def _is_valid(program: ir.Program) -> bool:
    try:
        check(program)
    except (ProgramError, LookupError, TypeError, ValueError):
        return False
    return True


def arrivals(
    program: ir.Program,
    external: frozenset[str],
    rng: random.Random,
    nodes: Sequence[str] = NODES[:1],
) -> list[tuple[str, Row]]:
    """Up to three rows from outside, one per key where there is a key."""
    sources = [c for c in program.collections if c.name in external]
    found: list[tuple[str, Row]] = []
    taken: set[tuple[str, str, Row]] = set()
    for _ in range(rng.choice((2, 3, 3, 4)) if sources else 0):
        collection = rng.choice(sources)
        row = tuple(_value(column.type, rng) for column in collection.columns)
        if collection.kind == "channel":
            row = (rng.choice(nodes), *row[1:])
        keys = {(collection.name, kind, key) for kind, key in _keys(program, collection, row)}
        if not keys & taken:
            taken |= keys
            found.append((collection.name, row))
    return found


def _keys(program: ir.Program, collection: ir.Collection, row: Row) -> list[tuple[str, Row]]:
    """By what no two rows may agree: the declared key, and keys that are vouched for."""
    names = [column.name for column in collection.columns]
    declared = tuple(v for v, c in zip(row, collection.columns, strict=True) if c.key)
    found: list[tuple[str, Row]] = [("key", declared or row)]
    for one in program.assumptions:
        if one.collection == collection.name and one.kind == "fd":
            found.append((str(one.key), tuple(row[names.index(name)] for name in one.key)))
    return found


def _value(type: ir.Type, rng: random.Random) -> object:
    if isinstance(type, ir.Lattice):
        inner = _value(type.args[0], rng) if type.args else rng.random() < 0.5
        return frozenset((inner,)) if type.name == "SetUnion" else inner
    assert isinstance(type, ir.Plain)
    return rng.choice(VALUES[type.name])


# -------------------------------------------------------------------- changes


def _swap_rule(program: ir.Program, old: ir.Rule, new: ir.Rule) -> ir.Program:
    return replace(program, rules=tuple(new if r is old else r for r in program.rules))


def drop_rule(program: ir.Program, rng: random.Random) -> ir.Program:
    old = rng.choice(program.rules)
    if len(program.rules) == 1:
        return program
    return replace(program, rules=tuple(r for r in program.rules if r is not old))


def drop_literal(program: ir.Program, rng: random.Random) -> ir.Program:
    old = rng.choice(program.rules)
    if len(old.body) < 2:
        return program
    gone = rng.choice(old.body)
    return _swap_rule(program, old, replace(old, body=tuple(p for p in old.body if p is not gone)))


def negate(program: ir.Program, rng: random.Random) -> ir.Program:
    old = rng.choice(program.rules)
    atoms = [p for p in old.body if isinstance(p, ir.Atom)]
    if not atoms:
        return program
    one = rng.choice(atoms)
    body = tuple(replace(p, negated=not p.negated) if p is one else p for p in old.body)
    return _swap_rule(program, old, replace(old, body=body))


def other_kind(program: ir.Program, rng: random.Random) -> ir.Program:
    kinds: dict[str, tuple[ir.Kind, ...]] = {
        "table": ("scratch", "output"),
        "scratch": ("table", "output"),
        "output": ("table", "scratch"),
        "const": ("table",),
    }
    some = [c for c in program.collections if c.kind in kinds]
    if not some:
        return program
    old = rng.choice(some)
    new = replace(old, kind=rng.choice(kinds[old.kind]), durable=False)
    return replace(program, collections=tuple(new if c is old else c for c in program.collections))


def other_operator(program: ir.Program, rng: random.Random) -> ir.Program:
    old = rng.choice(program.rules)
    operators: tuple[ir.Operator, ...] = ("<=", "<+", "<-", "<+-")
    if old.op == "<~":
        return program
    return _swap_rule(program, old, replace(old, op=rng.choice(operators)))


def other_condition(program: ir.Program, rng: random.Random) -> ir.Program:
    old = rng.choice(program.rules)
    tests = [p for p in old.body if isinstance(p, ir.Condition)]
    if not tests:
        return program
    one = rng.choice(tests)
    if not isinstance(one.test, ir.Binary):
        return program
    operators = ("<", "<=", ">", ">=", "==", "!=")
    test = replace(one.test, op=rng.choice(operators))  # type: ignore[arg-type]
    if rng.random() < 0.2:
        body = tuple(ir.Condition(ir.Unary("not", one.test)) if p is one else p for p in old.body)
    else:
        body = tuple(ir.Condition(test) if p is one else p for p in old.body)
    return _swap_rule(program, old, replace(old, body=body))


def other_variable(program: ir.Program, rng: random.Random) -> ir.Program:
    """Another variable, `_` or a constant in one place of one atom or of the head."""
    old = rng.choice(program.rules)
    names = sorted(
        {a for p in old.body if isinstance(p, ir.Atom) for a in p.args if isinstance(a, ir.Var)},
        key=lambda var: var.name,
    )
    if not names:
        return program
    atoms = [p for p in old.body if isinstance(p, ir.Atom)]
    if rng.random() < 0.4 and old.args:
        place = rng.randrange(len(old.args))
        if isinstance(old.args[place], ir.Aggregate):
            return program
        args = (*old.args[:place], rng.choice(names), *old.args[place + 1 :])
        return _swap_rule(program, old, replace(old, args=args))
    atom = rng.choice(atoms)
    place = rng.randrange(len(atom.args))
    choices: list[ir.Expr] = [*names, ir.Wild(), ir.Wild(), ir.Var("fresh")]
    new = rng.choice(choices)
    changed = replace(atom, args=(*atom.args[:place], new, *atom.args[place + 1 :]))
    body = tuple(changed if p is atom else p for p in old.body)
    return _swap_rule(program, old, replace(old, body=body))


def other_column(program: ir.Program, rng: random.Random) -> ir.Program:
    """Plain to lattice and back, key to no key and back."""
    old = rng.choice(program.collections)
    if old.kind in ("roster", "periodic", "input"):
        return program
    place = rng.randrange(len(old.columns))
    column = old.columns[place]
    integer = ir.Plain("int")
    if rng.random() < 0.5:
        new = replace(column, key=not column.key)
    elif column.type == integer:
        new = replace(column, type=rng.choice((MAX, MIN)), key=False)
    elif column.type in (MAX, MIN):
        new = replace(column, type=rng.choice((integer, MAX, MIN)))
    else:
        return program
    columns = (*old.columns[:place], new, *old.columns[place + 1 :])
    if any(isinstance(c.type, ir.Lattice) for c in columns):
        columns = tuple(replace(c, key=not isinstance(c.type, ir.Lattice)) for c in columns)
    changed = replace(old, columns=columns)
    return replace(
        program, collections=tuple(changed if c is old else c for c in program.collections)
    )


def other_collection(program: ir.Program, rng: random.Random) -> ir.Program:
    """An atom of another collection with as many columns."""
    old = rng.choice(program.rules)
    atoms = [p for p in old.body if isinstance(p, ir.Atom)]
    if not atoms:
        return program
    atom = rng.choice(atoms)
    alike = [c.name for c in program.collections if len(c.columns) == len(atom.args)]
    changed = replace(atom, collection=rng.choice(alike))
    return _swap_rule(
        program, old, replace(old, body=tuple(changed if p is atom else p for p in old.body))
    )


def other_aggregate(program: ir.Program, rng: random.Random) -> ir.Program:
    old = rng.choice(program.rules)
    places = [i for i, a in enumerate(old.args) if isinstance(a, ir.Aggregate)]
    if not places:
        return program
    place = rng.choice(places)
    aggregate = old.args[place]
    assert isinstance(aggregate, ir.Aggregate)
    names: tuple[ir.AggregateName, ...] = ("count", "sum", "min", "max", "choose")
    value = aggregate.value
    new = ir.Aggregate(rng.choice(names) if value is not None else "count", value)
    return _swap_rule(
        program, old, replace(old, args=(*old.args[:place], new, *old.args[place + 1 :]))
    )


def feed_back(program: ir.Program, rng: random.Random) -> ir.Program:
    """A copy of one collection into another with the same columns."""
    heads = [c for c in program.collections if c.kind in ("table", "scratch", "output")]
    if not heads:
        return program
    head = rng.choice(heads)
    types = [c.type for c in head.columns]
    alike = [
        c
        for c in program.collections
        if [column.type for column in c.columns] == types and c is not head
    ]
    if not alike:
        return program
    args = tuple(ir.Var(f"x{i}") for i in range(len(types)))
    operators: tuple[ir.Operator, ...] = ("<=", "<=", "<+", "<-")
    body = (ir.Atom(rng.choice(alike).name, args),)
    rule = ir.Rule(f"copy{len(program.rules)}", head.name, args, rng.choice(operators), body)
    return replace(program, rules=(*program.rules, rule))


CHANGES: tuple[Change, ...] = (
    drop_rule,
    drop_literal,
    negate,
    other_kind,
    other_kind,
    other_operator,
    other_condition,
    other_variable,
    other_variable,
    other_column,
    other_collection,
    other_aggregate,
    feed_back,
)
