"""Each node's own states, and what a tick makes of them, worked out once.

A global state is a tuple of numbers of local states.  A tick depends on the
local state and its arrivals alone, so its result is kept: exploration meets
the same local ticks again and again in different surroundings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bloomish import ir
from bloomish.ephemeral import ephemeral_collections, is_ephemeral, is_volatile
from bloomish.order import order_key
from bloomish.runtime.evaluator import Arrival, Row, Tick, TickFailed
from bloomish.runtime.setaside import SetAside, Shelf, Stuck, rescue, skips
from bloomish.runtime.sim.actor import EPOCH
from bloomish.runtime.sim.stage import Member, Stage

DRAIN = 64  # ticks that one action may need to settle
SET_ASIDE = "set aside "
"""Stands before a collection's name where its rows are those that a node has set aside."""


@dataclass(frozen=True, slots=True)
class Message:
    """A row on its way to a collection of a node: a channel's, an input's, a timer's."""

    site: int
    collection: str
    row: Row


class Mailbag:
    """Messages by number; equal messages are one."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._numbers: dict[tuple[int, str, Any], int] = {}

    def number(self, site: int, collection: str, row: Row) -> int:
        key = (site, collection, order_key(row))
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.messages)
            self.messages.append(Message(site, collection, row))
        return number


Shown = frozenset[tuple[str, Any]]  # (collection, row) that was handed over, rows by order key


@dataclass(slots=True)
class Local:
    """One state of one node.  `standing`: messages it keeps sending."""

    snapshot: object
    again: bool
    shown: Shown
    number: int
    disk: Mapping[str, tuple[Row, ...]] | None
    standing: tuple[int, ...]
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Violated:
    """A row of an invariant, or a node that cannot go on."""

    node: str
    collection: str
    row: Row | None
    text: str = ""

    def __str__(self) -> str:
        if self.row is None:
            return f"{self.node} cannot go on: {self.text}"
        return f"{self.collection}{self.row!r} at {self.node}"


@dataclass(frozen=True, slots=True)
class Step:
    """What a tick made of a local state."""

    local: int
    sent: tuple[int, ...]
    violated: tuple[Violated, ...] = ()


@dataclass
class Site:
    """One node: its evaluator and its local states."""

    index: int
    member: Member
    stage: Stage
    bag: Mailbag
    sites_of: Mapping[str, int]
    wires: Sequence[Mapping[str, str]]  # per site: wire to collection
    seed: int = 0
    which: str = "auto"
    actions: bool = False
    locals: list[Local] = field(default_factory=list)

    def __post_init__(self) -> None:
        program = self.member.program
        self.node = self.member.node
        self.evaluator = self.stage.evaluator(self.member, self.seed, self.which)
        known = ephemeral_collections(program)
        self.volatile = any(is_volatile(rule) for rule in program.rules)
        self.has_standing = any(
            rule.op == "<~" and not is_ephemeral(program, rule, known) for rule in program.rules
        )
        self.invariants = {c.name for c in program.collections if c.kind == "invariant"}
        self.durable = [c.name for c in program.collections if c.durable]
        self.final, self.events = watched(program, known)
        self.views = _plain_views(program, known)
        self.last_fact = max((one.at or 0 for one in program.facts), default=0)
        self._skips = skips(program)
        self._numbers: dict[object, int] = {}
        self._steps: dict[tuple[int, tuple[int, ...]], Step] = {}
        self._fresh = self.evaluator.snapshot()
        self._contents: dict[int, dict[str, tuple[Any, ...]]] = {}

    # ------------------------------------------------------------------ ticks

    def boot(
        self, disk: Mapping[str, tuple[Row, ...]] | None = None, shown: Shown = frozenset()
    ) -> Step:
        """The first tick, of a node that has just started (with this on its disk)."""
        self.evaluator.restore(self._fresh)
        if disk is not None:
            self.evaluator.load({name: list(rows) for name, rows in disk.items()})
        start = Local(None, True, shown, 0, disk, ())
        return self._take(start, [])

    def step(self, local: int, arrivals: tuple[int, ...]) -> Step:
        """The tick of a local state with these arrivals (message numbers, ascending)."""
        key = (local, arrivals)
        step = self._steps.get(key)
        if step is None:
            before = self.locals[local]
            self.evaluator.restore(before.snapshot)
            rows = [(m.collection, m.row) for m in map(self.bag.messages.__getitem__, arrivals)]
            step = self._steps[key] = self._take(before, rows)
        return step

    def crash(self, local: int) -> Step:
        """The node loses all that is not durable, and starts again."""
        key = (local, (-1,))
        step = self._steps.get(key)
        if step is None:
            before = self.locals[local]
            step = self._steps[key] = self.boot(before.disk, before.shown)
        return step

    def _take(self, before: Local, arrivals: list[Arrival]) -> Step:
        sent: dict[int, None] = {}
        violated: list[Violated] = []
        shown = set(before.shown)
        disk, number, tick = before.disk, before.number, None
        for _ in range(DRAIN if self.actions else 1):
            try:
                tick, aside = self._tick(arrivals, EPOCH + number)
            except Stuck as stuck:
                violated.append(Violated(self.node, "", None, str(stuck)))
                return Step(self._dead(before, frozenset(shown)), tuple(sent), tuple(violated))
            shown.update((SET_ASIDE + one.collection, order_key(one.row)) for one in aside)
            arrivals = []
            number = tick.number
            disk = self._committed(disk, tick)
            self._look(tick, shown, violated)
            for to, wire, row in self.evaluator.sends() if tick.rows_out else ():
                self._post(to, wire, row, sent, shown)
            if not tick.again:
                break
        assert tick is not None
        local = self._intern(tick, frozenset(shown), disk)
        return Step(local, tuple(sent), tuple(violated))

    def _tick(self, arrivals: list[Arrival], now: float) -> tuple[Tick, list[SetAside]]:
        """The tick, and the rows that it fails with."""
        self.evaluator.set_arrivals(arrivals)
        try:
            return self.evaluator.tick(now), []
        except TickFailed as failure:
            saved = rescue(self.evaluator, Shelf(), failure, now, 0, self._skips)
            return saved.tick, saved.aside

    def _look(self, tick: Tick, shown: set[tuple[str, Any]], violated: list[Violated]) -> None:
        for name, rows in tick.events.items():
            shown.update((name, order_key(row)) for row in rows)
        for name in self.views & tick.added.keys():
            shown.update((name, order_key(row)) for row in tick.added[name])
        for part in (tick.events, tick.added):
            for name in self.invariants & part.keys():
                violated += (Violated(self.node, name, row) for row in part[name])
        for name in self.events:
            rows = self.evaluator.contents(name)
            shown.update((name, order_key(row)) for row in rows)

    def _post(
        self, to: str, wire: str, row: Row, sent: dict[int, None], shown: set[tuple[str, Any]]
    ) -> None:
        """A row to a node of the world is under way; to anyone else, it has left."""
        site = self.sites_of.get(to)
        name = None if site is None else self.wires[site].get(wire)
        if site is None or name is None:
            shown.add((f"{wire} to {to}", order_key(row)))
        else:
            sent[self.bag.number(site, name, row)] = None

    def _committed(
        self, disk: Mapping[str, tuple[Row, ...]] | None, tick: Tick
    ) -> Mapping[str, tuple[Row, ...]] | None:
        if not self.durable:
            return None
        changed: dict[str, tuple[Row, ...]] = dict(disk or dict.fromkeys(self.durable, ()))
        for name, (removed, added) in tick.durable.items():
            rows = {order_key(row): row for row in changed[name]}
            for row in removed:
                rows.pop(order_key(row), None)
            rows |= {order_key(row): row for row in added}
            changed[name] = tuple(rows[key] for key in sorted(rows))
        return changed

    # ----------------------------------------------------------------- states

    def _intern(self, tick: Tick, shown: Shown, disk: Mapping[str, tuple[Row, ...]] | None) -> int:
        again = tick.again or tick.number < self.last_fact
        time = tick.number if self.volatile else min(tick.number, self.last_fact)
        key = (self.evaluator.fingerprint(), again, shown, time)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.locals)
            snapshot = self.evaluator.snapshot()
            standing = self._standing() if self.has_standing else ()
            self.locals.append(Local(snapshot, again, shown, tick.number, disk, standing))
        return number

    def _standing(self) -> tuple[int, ...]:
        self.evaluator.resend()
        found: dict[int, None] = {}
        for to, wire, row in self.evaluator.sends():
            self._post(to, wire, row, found, set())
        return tuple(found)

    def _dead(self, before: Local, shown: Shown) -> int:
        key = ("dead", shown)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.locals)
            self.locals.append(
                Local(before.snapshot, False, shown, before.number, before.disk, (), dead=True)
            )
        return number

    def contents(self, local: int) -> dict[str, tuple[Any, ...]]:
        """Tables and views at the end of the state's last tick, and all that was handed over."""
        found = self._contents.get(local)
        if found is None:
            state = self.locals[local]
            found = {}
            if not state.dead:
                self.evaluator.restore(state.snapshot)
                found = {
                    name: tuple(self.evaluator.contents(name))
                    for name in self.final
                    if name not in self.views
                }
            for name, row in sorted(state.shown):
                found[name] = (*found.get(name, ()), _row_of(row))
            self._contents[local] = found
        return found


def _plain_views(program: ir.Program, ephemeral: frozenset[str]) -> frozenset[str]:
    """Outputs that are views of plain rows: what was handed over and then taken back counts.
    A row with a lattice is not taken back when it ascends: of it the last counts."""
    return frozenset(
        one.name
        for one in program.collections
        if one.kind == "output"
        and one.name not in ephemeral
        and not any(isinstance(column.type, ir.Lattice) for column in one.columns)
    )


def _row_of(key: Any) -> Any:
    """The row of an order key."""
    rank = key[0]
    if rank == 5:
        return tuple(_row_of(item) for item in key[1])
    if rank == 6:
        return frozenset(_row_of(item) for item in key[1])
    return None if rank == 0 else key[1]


def watched(program: ir.Program, ephemeral: frozenset[str]) -> tuple[list[str], list[str]]:
    """Collections whose content at the end is part of the outcome, and those whose
    rows over the run are (events that no output hands over, because nothing reads them)."""
    read = {
        part.collection for rule in program.rules for part in rule.body if isinstance(part, ir.Atom)
    }
    final, events = [], []
    for collection in program.collections:
        name, kind = collection.name, collection.kind
        sink = kind in ("scratch", "channel") and name not in read
        if kind == "table" or (kind in ("output", "eventually") and name not in ephemeral):
            final.append(name)
        elif sink and name not in ephemeral:
            final.append(name)
        elif (sink or kind == "eventually") and name in ephemeral:
            events.append(name)
    return final, events


def sites(
    stage: Stage, seed: int = 0, which: str = "auto", actions: bool = False
) -> tuple[list[Site], Mailbag]:
    """A site per node."""
    bag = Mailbag()
    numbers = {node: index for index, node in enumerate(stage.nodes)}
    wires = [
        {c.wire or c.name: c.name for c in member.program.collections if c.kind == "channel"}
        for member in stage.members
    ]
    made = [
        Site(index, member, stage, bag, numbers, wires, seed, which, actions)
        for index, member in enumerate(stage.members)
    ]
    return made, bag


def periodics(stage: Stage) -> Iterator[tuple[int, str]]:
    """Timers: the site, and the collection that fires."""
    for index, member in enumerate(stage.members):
        for collection in member.program.collections:
            if collection.kind == "periodic":
                yield index, collection.name
