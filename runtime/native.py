"""The engine behind the `Evaluator` interface.

Plans come from `bloomish.runtime.plan`; what happens on every row and tick is
in Rust.  Here is what is unusual: values that need another form, frames with
something odd in them, and the texts of errors, which are the reference's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bloomish import _engine, ir
from bloomish.externals import Externals
from bloomish.runtime.evaluator import (
    Arrival,
    Received,
    Row,
    RowRefused,
    Series,
    Tick,
    TickFailed,
)
from bloomish.runtime.plan import ARRIVING, plan
from bloomish.runtime.plan_expressions import Externs
from bloomish.runtime.reference_expr import Expressions, Moment, keyed
from bloomish.runtime.relation import Conflict, Relation, Schema
from bloomish.values import Misfit, Values


class Hooks:
    """What the engine asks of Python.  It knows no evaluator, so that none is kept alive by it."""

    def __init__(
        self, program: ir.Program, schemas: Mapping[str, Schema], node: str, seed: int
    ) -> None:
        self.schemas = schemas
        self.misfits: list[Callable[[object], str]] = []
        self._rules = program.rules
        self._wires = {c.wire or c.name: c.name for c in program.collections if c.kind == "channel"}
        self._spans = {rule.name: rule.span for rule in program.rules}
        self._node = node
        self._seed = seed

    def misfit(self, number: int, value: object) -> str:
        return self.misfits[number](value)

    def priority(self, rule: int, group: tuple[object, ...], value: object) -> bytes:
        named = self._rules[rule]
        return keyed(self._seed, [named.head, named.name, *group, value])

    def conform(self, collection: str, rows: Sequence[Row]) -> list[Row]:
        """Rows from a host in their columns' form."""
        schema = self.schemas.get(collection)
        if schema is None or schema.collection.kind not in ARRIVING:
            kind = schema.collection.kind if schema else "no collection of this program"
            raise RowRefused(f"{collection} is {kind}: rows go into an input")
        try:
            return [schema.row(row) for row in rows]
        except (Misfit, TypeError) as error:
            raise RowRefused(str(error)) from None

    def odd_frame(self, engine: _engine.Node, frame: bytes) -> Received:
        """A frame that is not plainly right: what is refused, and why."""
        from bloomish.runtime.frames_reference import decode  # late, and msgpack with it

        channels = {wire: self.schemas[name] for wire, name in self._wires.items()}
        sender, taken, refused = decode(frame, self._node, channels)
        for collection, row in taken:
            engine.insert_conformed(collection, (row,))
        return Received(len(taken), tuple(refused), sender)

    def failed(self, rule: str, rows: Sequence[Arrival], message: str) -> TickFailed:
        named = [self._spans[name] for name in rule.split(", ") if name in self._spans]
        return TickFailed(rule, rows, message, named[-1] if named else None)


class NativeEvaluator:
    """One node, by the engine."""

    name = "engine"

    # Bound to the engine's own methods: nothing stands between a caller and them.
    insert: Callable[[str, Sequence[Row]], None]
    insert_file: Callable[[str, str, str], int]
    receive: Callable[[bytes], Received]
    tick: Callable[..., Tick]
    series: Callable[[float, int, float], Series]
    probe: Callable[[float, Sequence[Arrival]], TickFailed | None]
    arrivals: Callable[[], list[Arrival]]
    set_arrivals: Callable[[Sequence[Arrival]], None]
    frames: Callable[..., list[tuple[str, bytes]]]
    sends: Callable[[], list[tuple[str, str, Row]]]
    resend: Callable[[], int]
    resend_stood: Callable[[], tuple[int, int]]
    keep_to_itself: Callable[[], None]
    contents: Callable[[str], list[Row]]
    count: Callable[[str], int]
    fingerprint: Callable[[], bytes]
    snapshot: Callable[[], object]

    def __init__(
        self,
        program: ir.Program,
        externals: Externals | None = None,
        *,
        node: str = "node-0",
        rosters: Mapping[str, Sequence[str]] | None = None,
        seed: int = 0,
    ) -> None:
        self.node = node
        self.program = program
        externals = externals or Externals()
        values = Values(program.lattices, externals.lattices)
        self._schemas = {c.name: Schema(c, values) for c in program.collections}
        hooks = Hooks(program, self._schemas, node, seed)
        by_role = rosters or {}
        sizes = {
            c.name: len(set(by_role.get(c.role, ())))
            for c in program.collections
            if c.kind == "roster"
        }
        moment = Moment(node, seed, sizes)
        externs = Externs(program, values, Expressions(program, externals, values, moment))
        self.plan = plan(program, values, externs, by_role)
        hooks.misfits = externs.misfits
        self._engine = _engine.Node(
            self.plan,
            node,
            externs.functions,
            externs.merges,
            hooks.misfit,
            hooks.priority,
            hooks.conform,
            hooks.odd_frame,
            Tick,
            Series,
            Received,
            hooks.failed,
        )
        for method in (
            "insert", "insert_file", "receive", "tick", "series", "probe", "arrivals",
            "set_arrivals", "frames", "sends", "resend", "resend_stood", "keep_to_itself",
            "contents", "count", "fingerprint", "snapshot",
        ):  # fmt: skip
            setattr(self, method, getattr(self._engine, method))

    def restore(self, snapshot: object) -> None:
        """Go back to a snapshot of this or an equally made evaluator."""
        self._engine.restore(snapshot)

    def load(self, tables: Mapping[str, Sequence[Row]]) -> None:
        """Durable tables as they were committed, before the first tick."""
        loaded: dict[str, list[Any]] = {}
        for name, rows in tables.items():
            schema = self._schemas.get(name)
            if schema is None or not schema.collection.durable:
                raise RowRefused(f"{name} is not a durable table of this program")
            try:
                loaded[name] = list(Relation(schema, map(schema.row, rows)))
            except (Misfit, Conflict) as error:
                raise RowRefused(str(error)) from None
        self._engine.load(loaded)
