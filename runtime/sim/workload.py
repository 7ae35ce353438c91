"""What hosts give in a run: rows of files, or small rows made up from column types.

Inputs get rows; so do channels on which nobody in the world sends (a role that
is simulated without its peers), as rows from outside.  Values are few, so that
rows meet in keys and joins.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bloomish import ir
from bloomish.runtime.ends import Ends, endings
from bloomish.runtime.evaluator import Row
from bloomish.runtime.feeds import Feed
from bloomish.runtime.setaside import skips
from bloomish.runtime.sim.stage import Member, Stage
from bloomish.values import Misfit, Values

STRINGS = ("x", "y", "z")


@dataclass(frozen=True, slots=True)
class Insert:
    """Rows that a host inserts at a time."""

    time: int
    node: str
    collection: str
    rows: tuple[Row, ...]


def make_up(stage: Stage, seed: int, rows: int, horizon: int) -> list[Insert]:
    """So many rows for every input of every node, at random times before the horizon.

    A declared key of an input is the filler's promise: at one node it has one row.
    """
    chance = random.Random(f"workload/{seed}")
    inserts: list[Insert] = []
    for member, collection in outside(stage):
        values = Values(member.program.lattices, member.externals.lattices)
        keys = tuple(place for place, column in enumerate(collection.columns) if column.key)
        known: set[Row] = set()
        for number in range(rows):
            row = made_row(collection, member.node, stage.nodes, chance, number)
            if row is not None and _fits(collection, row, values):
                key = tuple(row[place] for place in keys)
                if keys and key in known:
                    continue
                known.add(key)
                time = chance.randrange(horizon)
                inserts.append(Insert(time, member.node, collection.name, (row,)))
    inserts.sort(key=lambda one: (one.time, one.node, one.collection))
    return [*inserts, *ended(stage, inserts, horizon)]


def ended(stage: Stage, inserts: Sequence[Insert], time: int) -> list[Insert]:
    """What hosts say once they have given all of this: that there is no more."""
    ends = Ends({member.node: member.program for member in stage.members})
    for one in inserts:
        ends.note(one.node, one.collection, one.rows)
    return [
        Insert(time, node, collection, (row,))
        for node, collection, rows in ends.rows(stage.nodes)
        for row in rows
    ]


def systematic(stage: Stage, rows: int, all_numbers: bool = False) -> list[Insert]:
    """So many rows for every input of every node, made to meet: of one collection they
    agree in all columns but the last, so they join, share keys and contradict each other.

    Where a collection has a key, that is what differs: its rows do not contradict
    each other.  `all_numbers`: int columns differ too (slots, stamps).  The values
    are those that the program itself names, then made-up ones.
    """
    inserts: list[Insert] = []
    given: dict[str, int] = {}
    for _ in range(rows):
        for member, collection in outside(stage):
            number = given[collection.name] = given.get(collection.name, -1) + 1
            pool = _Pool(member.program, stage.nodes)
            values = Values(member.program.lattices, member.externals.lattices)
            keyed = any(column.key for column in collection.columns)
            row: list[object] = []
            for place, column in enumerate(collection.columns):
                last = place == len(collection.columns) - 1
                differs = last or column.key if keyed else last
                if all_numbers and column.type == ir.Plain("int"):
                    differs = True
                if place == 0 and collection.kind == "channel":
                    row.append(member.node)
                else:
                    row.append(pool.value(column.type, number if differs else 0))
            if None not in row and _fits(collection, tuple(row), values):
                inserts.append(Insert(0, member.node, collection.name, (tuple(row),)))
    return [*inserts, *ended(stage, inserts, 0)]


class _Pool:
    """Values by type: what a program's facts and rules name, then made-up ones."""

    def __init__(self, program: ir.Program, nodes: Sequence[str]) -> None:
        named = [value for facts in program.facts for row in facts.rows for value in row]
        named += (
            part.value
            for rule in program.rules
            for literal in rule.body
            if isinstance(literal, ir.Atom)
            for part in literal.args
            if isinstance(part, ir.Const)
        )
        self.nodes = nodes
        self.ints = _distinct(named, int) or [1, 2, 3]
        self.texts = [*_distinct(named, str), *STRINGS]
        self.addresses = [*nodes, "stranger-1", "stranger-2"]
        self.chance = random.Random(0)

    def value(self, kind: ir.Type, number: int) -> object | None:
        """The `number`th value of a plain type; any value of another."""
        if not isinstance(kind, ir.Plain):
            return made_value(kind, self.nodes, self.chance, number)
        text = self.texts[number % len(self.texts)]
        whole = self.ints[number] if number < len(self.ints) else max(self.ints) + number
        simple: dict[str, object] = {
            "int": whole,
            "float": float(whole),
            "str": text,
            "bytes": text.encode(),
            "bool": number % 2 == 0,
            "Address": self.addresses[number % len(self.addresses)],
            "Any": whole,
        }
        return simple[kind.name]


def _distinct(values: Sequence[object], kind: type) -> list[Any]:
    return list(dict.fromkeys(value for value in values if type(value) is kind))


def outside(stage: Stage) -> Iterable[tuple[Member, ir.Collection]]:
    """Collections that rows enter from outside the world, with their member; not those by
    which a host says that there is no more, nor those that a node itself feeds."""
    sent = stage.sent_wires()
    for member, collection in stage.collections("input", "channel"):
        last = {ending.collection.name for ending in endings(member.program)}
        own = last.union(skips(member.program))
        if member.program.notation == "dedalus" or collection.name in own:
            continue
        if collection.kind == "input" or (collection.wire or collection.name) not in sent:
            yield member, collection


def made_row(
    collection: ir.Collection,
    node: str,
    nodes: Sequence[str],
    chance: random.Random,
    number: int,
) -> Row | None:
    """A row by the columns' types; None where a type has no made-up values."""
    row: list[object] = []
    for place, column in enumerate(collection.columns):
        if place == 0 and collection.kind == "channel":
            row.append(node)
            continue
        value = made_value(column.type, nodes, chance, number)
        if value is None:
            return None
        row.append(value)
    return tuple(row)


def made_value(
    kind: ir.Type, nodes: Sequence[str], chance: random.Random, number: int
) -> object | None:
    """A small value of a type."""
    if isinstance(kind, ir.TupleOf):
        parts = tuple(made_value(item, nodes, chance, number) for item in kind.items)
        return None if None in parts else parts
    if isinstance(kind, ir.Lattice):
        return _made_lattice(kind, nodes, chance, number)
    simple: dict[str, object] = {
        "int": chance.choice((number, chance.randrange(3))),
        "float": float(chance.randrange(3)),
        "str": chance.choice(STRINGS),
        "bytes": chance.choice(STRINGS).encode(),
        "bool": chance.random() < 0.5,
        "Address": chance.choice(list(nodes)),
        "Any": chance.randrange(3),
    }
    return simple[kind.name]


def _made_lattice(
    kind: ir.Lattice, nodes: Sequence[str], chance: random.Random, number: int
) -> object | None:
    def made(argument: ir.Type) -> object | None:
        return made_value(argument, nodes, chance, number)

    if kind.name in ("Max", "Min"):
        return made(kind.args[0])
    if kind.name == "Bool":
        return chance.random() < 0.7
    if kind.name == "SetUnion":
        element = made(kind.args[0])
        return None if element is None else frozenset((element,))
    if kind.name == "MapUnion":
        key, value = made(kind.args[0]), made(kind.args[1])
        return None if key is None or value is None else ((key, value),)
    if kind.name in ("VectorClock", "GCounter"):
        return ((chance.choice(list(nodes)), 1 + chance.randrange(2)),)
    if kind.name in ("Pair", "Lex"):
        first, second = made(kind.args[0]), made(kind.args[1])
        return None if first is None or second is None else (first, second)
    return None


def _fits(collection: ir.Collection, row: Row, values: Values) -> bool:
    try:
        for column, value in zip(collection.columns, row, strict=True):
            values.conform(column.type)(value)
    except (Misfit, TypeError):
        return False
    return True


def fed(feeds: Sequence[Feed], horizon: int, stage: Stage) -> list[Insert]:
    """The rows of `--feed` files, dealt to their nodes, evenly over the horizon."""
    inserts: list[tuple[str, str, Row]] = []
    for one in feeds:
        nodes = one.place.nodes
        for number, row in enumerate(one.rows or ()):
            to = nodes if one.place.all_of_them else (nodes[number % len(nodes)],)
            inserts += ((node, one.place.collection, row) for node in to)
    step = max(1, horizon // (len(inserts) + 1))
    timed = [
        Insert((place + 1) * step, node, collection, (row,))
        for place, (node, collection, row) in enumerate(inserts)
    ]
    return [*timed, *ended(stage, timed, (len(timed) + 1) * step)]
