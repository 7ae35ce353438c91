"""Which streams a question is about, who feeds them, and in which partitions they can end.

A question is a rule that asks whether all of something has come.  Beneath it lie
the channels and inputs whose rows must all be there.  A channel ends when all
who send on it have ended; a sender ends when the inputs have ended that it makes
its rows of, or at once if it makes them of what never changes.

The partition is what the question is asked for: columns of the stream that hold
variables which another atom of the rule binds (none: all columns that the rule
groups by), and that come straight from the senders' inputs, so that a host can
say that there is no more for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from bloomish import ir
from bloomish.analysis.graph import Unit, Use
from bloomish.analysis.ground import Leaf, Walk
from bloomish.analysis.inference import Conclusion, Inference
from bloomish.analysis.modes import CERTAIN, CONST, EVENT, LASTING, NONDET, PART
from bloomish.analysis.points import PointKind
from bloomish.analysis.result import Point

KINDS = (
    PointKind.LATCH.value,
    PointKind.EXPORT.value,
    PointKind.FINAL_OUTPUT.value,
    PointKind.CHOICE.value,
)
"""Points that ask whether all has been seen."""

OTHERS = {
    PointKind.UNGUARDED_JOIN.value: "nothing is missing: both sides have only to be stored",
    PointKind.CLOCK.value: "a clock or timer decides, and no seal removes that",
    PointKind.DELETE_RACE.value: "it asks which comes first, and more may always come",
    PointKind.OVERWRITE.value: "it asks which comes last, and more may always come",
    PointKind.KEY_RACE.value: "it asks which of rivals comes first, and more may always come",
}
"""What other points ask."""


class Unsealable(Exception):
    """Why a point cannot be sealed."""


class Finer(Unsealable):
    """What it rests on is sealed in parts that it cannot tell apart, by the columns `names`."""

    def __init__(self, why: str, names: Iterable[str]) -> None:
        super().__init__(why)
        self.names = frozenset(names)


class NotYet(Unsealable):
    """What it rests on is to be sealed first."""


@dataclass(frozen=True, slots=True)
class End:
    """What ends the rows of one rule, or of an input itself: that its `inputs` end, and that
    `channels` and what is `sealed` already are complete; nothing at all, if it has ended from
    the start.  `columns`: by which columns of what ends it a host can say so, each with the
    stream's column that holds the same."""

    role: str
    inputs: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    sealed: tuple[str, ...] = ()
    columns: tuple[tuple[ir.Column, int], ...] = ()
    ways: tuple[Unit, ...] = ()

    @property
    def at_once(self) -> bool:
        return not (self.inputs or self.channels or self.sealed)


@dataclass(slots=True)
class Stream:
    """A channel or an input (by its node) of which a question needs all rows.  `part`: the
    columns of the partitions in which it ends, none if it ends as a whole.  `goes_round`: rows
    are sent because of rows that came by it, so that all who have it end together."""

    node: str
    ends: tuple[End, ...]
    senders: tuple[Unit, ...] = ()
    part: tuple[int, ...] = ()
    goes_round: bool = False


@dataclass(slots=True)
class Question:
    """A rule that asks, what it asks about, and the rules between."""

    point: Point
    unit: Unit
    streams: dict[str, dict[int, ir.Expr]] = field(default_factory=dict)
    """Stream -> its columns that hold a variable of the rule."""
    sealed: dict[str, dict[int, ir.Expr]] = field(default_factory=dict)
    """The same of what a module has sealed already, by the node of its rows."""
    ways: dict[int, Unit] = field(default_factory=dict)
    passing: tuple[Use, ...] = ()
    """Atoms that are gone when the seal comes: to be kept until then."""


class Survey:
    """Questions and streams of one analysed deployment."""

    def __init__(self, inference: Inference) -> None:
        self.inference = inference
        self.system = inference.system
        self.modes = inference.modes
        self.contracts = inference.known.contracts
        self.by_unit: dict[int, Conclusion] = {c.unit.id: c for c in inference.conclusions}
        self.streams: dict[str, Stream] = {}
        self.walk = Walk(
            self.system,
            self.modes,
            self._is_leaf,
            lambda unit, use: inference.known.reveals(unit, use, inference.modes),
            inference.known.lineage.clocks,
        )

    def _is_leaf(self, node: str) -> bool:
        sealed = node in self.contracts.by_rows or node in self.contracts.by_complete
        return sealed or self.system.nodes[node].kind in ("channel", "input")

    def name(self, node: str) -> str:
        return self.system.nodes[node].collection.name

    # -------------------------------------------------------------- questions

    def question(self, point: Point) -> Question:
        """What a point asks; raises Unsealable."""
        unit = self.system.stated(point.role, point.rule)[0]
        if point.kind not in KINDS:
            joined = point.kind == PointKind.UNGUARDED_JOIN.value and self.system.shrinking(unit)
            raise Unsealable(OTHERS[PointKind.DELETE_RACE.value if joined else point.kind])
        if unit.op not in ("<=", "<+", "<~"):
            raise Unsealable("it deletes or replaces rows: a seal does not settle which comes last")
        if self.inference.known.lineage.clocks(unit):
            raise Unsealable("a clock flows into it, and no seal removes that")
        question = Question(point, unit)
        occurrences: dict[str, list[Leaf]] = {}
        asking: list[Use] = []
        for use in unit.uses:
            self._beneath(question, use, occurrences, asking)
        if not occurrences:
            raise Unsealable("nothing in it asks whether all has come")
        askers = self._askers(asking)
        for node, leaves in occurrences.items():
            into = question.sealed if self._is_sealed(node) else question.streams
            into[node] = self._columns(node, leaves, askers)
        question.passing = tuple(self._passing(unit, question, asking))
        return question

    def _beneath(
        self,
        question: Question,
        use: Use,
        occurrences: dict[str, list[Leaf]],
        asking: list[Use],
    ) -> None:
        ground = self.walk.question(question.unit, (use,))
        strict = [leaf for leaf in ground.leaves if leaf.strict]
        if use.node in self.contracts.by_complete:
            return
        if not strict:
            if not use.atom.negated and self.system.nodes[use.node].kind != "roster":
                asking.append(use)
            return
        if ground.obstacles:
            raise Unsealable(ground.obstacles[0])
        for leaf in strict:
            if self.system.component[leaf.node] == self.system.component[question.unit.head]:
                raise Unsealable(
                    f"what it concludes comes back to it by {self.name(leaf.node)}: it can never "
                    "have seen all"
                )
            if leaf.node not in self.contracts.by_complete:
                occurrences.setdefault(leaf.node, []).append(leaf)
        question.ways |= ground.units

    def _is_sealed(self, node: str) -> bool:
        return node in self.contracts.by_rows

    def _askers(self, asking: list[Use]) -> frozenset[ir.Expr] | None:
        """Variables that something else binds and that is asked for; None if nothing asks."""
        moving = [use for use in asking if self.modes[use.node] is not CONST]
        if not moving:
            return None
        return frozenset(a for use in moving for a in use.atom.args if isinstance(a, ir.Var))

    def _columns(
        self, node: str, leaves: list[Leaf], askers: frozenset[ir.Expr] | None
    ) -> dict[int, ir.Expr]:
        """The columns of a stream that hold one variable of the question throughout."""
        found: dict[int, ir.Expr] | None = None
        for leaf in leaves:
            fixed: dict[int, ir.Expr] = {
                at: value
                for at, value in leaf.fixed
                if isinstance(value, ir.Var) or self._is_sealed(node)
            }
            if found is not None:
                fixed = {at: value for at, value in fixed.items() if found.get(at) == value}
            found = fixed
        if self._is_sealed(node):
            self._as_sealed(node, found or {})
            return found or {}
        first = 1 if self.system.nodes[node].kind == "channel" else 0
        columns = {
            at: value
            for at, value in (found or {}).items()
            if at >= first and (askers is None or value in askers)
        }
        whole = len(columns) == len(self.system.nodes[node].columns) - first
        return {} if whole else columns

    def _as_sealed(self, node: str, found: dict[int, ir.Expr]) -> None:
        """What is sealed already can be asked for in the partitions in which it is sealed."""
        contract = self.contracts.by_rows[node]
        if any(of not in found for _, of in contract.columns):
            columns = self.system.nodes[contract.complete].columns
            per = ", ".join(column.name for column in columns)
            missing = (columns[at].name for at, of in contract.columns if of not in found)
            raise Finer(f"{self.name(node)} is sealed per {per}, and asked for otherwise", missing)

    def _passing(self, unit: Unit, question: Question, asking: list[Use]) -> Iterator[Use]:
        for use in asking:
            mode = self.modes[use.node]
            if mode is CONST or mode in LASTING:
                continue
            name = use.atom.collection
            if self.inference.known.lineage.pulse(use.node):
                raise Unsealable(f"the timer {name} decides when it is asked")
            if mode is not EVENT:
                raise Unsealable(f"{name} is {mode.word}, whatever is sealed")
            yield use
        for way in question.ways.values():
            self._only_way(unit, question, way)

    def _only_way(self, unit: Unit, question: Question, way: Unit) -> None:
        """What passes by now, and stays once it is sealed, must not be read as it passes."""
        if self.system.nodes[way.head].persisted or self.modes[way.head] is not EVENT:
            return
        for reader in self.system.readers[way.head]:
            if reader is unit or reader.id in question.ways:
                continue
            if reader.op != "<=" or self.system.nodes[reader.head].kind == "output":
                name = self.name(way.head)
                raise Unsealable(
                    f"other rules read {name} as it passes (`{reader.rule.name}`): store it in a "
                    "table for the question"
                )

    # ---------------------------------------------------------------- streams

    def stream(self, node: str, way: tuple[str, ...] = ()) -> Stream:
        """Who feeds a stream and what ends it; raises Unsealable."""
        if node in way:
            raise Unsealable(self._round(node))
        if node not in self.streams:
            self.streams[node] = self._stream(node, (*way, node))
        return self.streams[node]

    def _round(self, node: str) -> str:
        return (
            f"{self.name(node)} goes round by way of other channels: it is sent because of what "
            "has come by them, and they because of what has come by it. That nobody has any left, "
            "and none is under way, can be found out for one channel by counting at all of "
            "its nodes; say by one channel what goes round, or tag what is sent with its round's "
            "number, and let each round end by itself"
        )

    def _stream(self, node: str, way: tuple[str, ...]) -> Stream:
        declared = self.system.nodes[node]
        if declared.kind == "input":
            columns = tuple((column, at) for at, column in enumerate(declared.columns))
            return Stream(node, (End(declared.role, (node,), columns=columns),))
        name = self.name(node)
        if not self.system.producers[node]:
            raise Unsealable(
                f"who sends on {name} is not known: nobody here does. Put the program into a "
                "Cluster together with those who send"
            )
        if declared.lattices:
            raise Unsealable(f"rows of {name} merge on their way, so they cannot be counted")
        senders = tuple(self.system.producers[node])
        ends = tuple(self._end(unit, way) for unit in senders)
        goes_round = any(node in end.channels for end in ends)
        if goes_round:
            ends = tuple(self._closed(end, node, way) for end in ends)
        return Stream(node, ends, senders, goes_round=goes_round)

    def _closed(self, end: End, node: str, way: tuple[str, ...]) -> End:
        """The end of a sender in a round: what its hosts give is closed before, or a row that
        comes too late would set all going again."""
        for given in end.inputs:
            self.stream(given, way)
        others = (other for other in end.channels if other != node)
        return replace(end, inputs=(), channels=(*others, *end.inputs), columns=())

    def _end(self, unit: Unit, way: tuple[str, ...]) -> End:
        """What ends the rows of one sending rule."""
        name = self.name(unit.head)
        where = f"{name} is sent by {unit.role}, whose end cannot be told"
        conclusion = self.by_unit[unit.id]
        if self.inference.known.lineage.clocks(unit):
            raise Unsealable(f"{where}: a clock flows into it")
        if conclusion.mode not in CERTAIN:
            again = {PART: "miss what comes later", NONDET: "depend on the schedule"}
            may = again.get(conclusion.mode, "be taken back")
            raise NotYet(f"{where}: what `{unit.rule.name}` sends may {may}")
        # What keeps out rows that have been received (R5) has no say in what there is to send.
        retried = self.inference.known.lineage.trace
        uses = tuple(
            use for use in unit.uses if not use.atom.negated or retried(use.node, unit.head) is None
        )
        ground = self.walk.question(unit, uses, strict=True)
        if ground.obstacles:
            raise Unsealable(f"{where}: {ground.obstacles[0]}")
        found: dict[str, dict[str, None]] = {"inputs": {}, "channels": {}, "sealed": {}}
        for leaf in ground.leaves:
            if leaf.node in self.contracts.by_rows:
                found["sealed"][leaf.node] = None
            elif self.system.nodes[leaf.node].kind == "input":
                found["inputs"][leaf.node] = None
            elif leaf.node not in self.contracts.by_complete:
                if leaf.node != unit.head:
                    self.stream(leaf.node, way)
                found["channels"][leaf.node] = None
        return End(
            unit.role,
            **{kind: tuple(nodes) for kind, nodes in found.items()},
            columns=() if found["channels"] else tuple(self._straight(unit, ground.leaves)),
            ways=(unit, *ground.units.values()),
        )

    def _straight(self, unit: Unit, leaves: list[Leaf]) -> Iterator[tuple[ir.Column, int]]:
        """Columns of what is sent that are a column of all that it is made of."""
        leaves = [leaf for leaf in leaves if leaf.node not in self.contracts.by_complete]
        if not leaves:
            return
        sent = self.system.nodes[unit.head].columns
        for at, argument in enumerate(unit.rule.args):
            if at == 0 or not isinstance(argument, ir.Var):
                continue
            homes = [
                [self.system.nodes[leaf.node].columns[i] for i, v in leaf.fixed if v == argument]
                for leaf in leaves
            ]
            if all(homes) and all(home[0].type == sent[at].type for home in homes):
                yield homes[0][0], at
