"""One rule under the inference: what is given, what is excused, what has been concluded."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from bloomish import ir
from bloomish.analysis.contracts import Contracts
from bloomish.analysis.dependencies import Dependencies
from bloomish.analysis.graph import MONITORS, Node, System, Unit, Use
from bloomish.analysis.lattice_types import Cell, Typing, implicit_cells
from bloomish.analysis.lineage import Lineage
from bloomish.analysis.modes import CONST, NONDET, Mode
from bloomish.analysis.points import Finding, Origin, PointKind, Step
from bloomish.analysis.polarity import Kept
from bloomish.analysis.seals import Seals


class Known:
    """What is known of a system before any mode is: shared by all cases, each found once."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.dependencies = Dependencies(system)
        self.lineage = Lineage(system, self.dependencies)
        self.seals = Seals(system)
        self.contracts = Contracts(system)
        self.cell_modes: dict[str, Mode] = {}
        """What views of aggregates are, read through thresholds alone."""
        self._typings: dict[tuple[int, frozenset[str]], Typing | None] = {}
        self._with_cells: dict[int, tuple[str, ...] | None] = {}

    def reveals(self, unit: Unit, use: Use, modes: Mapping[str, Mode]) -> bool:
        """Whether a rule looks at a cell of this atom otherwise than as it ascends."""
        typing = self.typing(unit, modes)
        return typing is not None and (
            use.index in typing.reveals
            or any(
                cell.use.index == use.index and cell.kept is Kept.PLAIN for cell in typing.cells()
            )
        )

    def typing(self, unit: Unit, modes: Mapping[str, Mode]) -> Typing | None:
        """None where no lattice column is in sight."""
        sources = self._cell_sources(unit)
        if sources is None:
            return None
        memo = (unit.id, frozenset(node for node in sources if modes[node] is CONST))
        if memo not in self._typings:
            self._typings[memo] = Typing(self.system, unit, memo[1])
        return self._typings[memo]

    def _cell_sources(self, unit: Unit) -> tuple[str, ...] | None:
        """The body's collections with cells; None where neither body nor head has any."""
        if unit.id not in self._with_cells:
            nodes = self.system.nodes
            found = tuple(
                use.node
                for use in unit.uses
                if nodes[use.node].lattices or implicit_cells(self.system, use.node) is not None
            )
            touched = bool(found or unit.aggregates or nodes[unit.head].lattices)
            self._with_cells[unit.id] = found if touched else None
        return self._with_cells[unit.id]


@dataclass(frozen=True, slots=True)
class Excuse:
    """A refinement's reason."""

    rule: str
    reason: str


class Case:
    """One evaluation of one rule; the rules of inference read and change it in turn."""

    def __init__(
        self, known: Known, unit: Unit, modes: Mapping[str, Mode], verbose: bool = False
    ) -> None:
        self.known = known
        self.system = known.system
        self.unit = unit
        self.modes = modes
        self.cell_modes = known.cell_modes
        self.head: Node = known.system.nodes[unit.head]
        self.local = not known.system.is_async(unit)
        self.typing = known.typing(unit, modes)
        self.cells: tuple[Cell, ...] = self.typing.cells() if self.typing else ()
        self.effective: dict[int, Mode] = {use.index: modes[use.node] for use in unit.positives}
        self.implied: list[Mode] = []
        self.excuses: dict[Hashable, Excuse] = {}
        self.pulsed = False
        self.settled = False
        self.cell_of_parts = False
        self.mode: Mode = CONST
        self.as_cell: Mode | None = None
        """What the head is, read through thresholds on its aggregates alone."""
        self.findings: list[Finding] = []
        self.origins: list[Origin] = []
        self.steps: list[Step] = []
        self.verbose = verbose

    # -------------------------------------------------------------- excuses

    def excuse(self, what: Hashable, rule: str, reason: str) -> None:
        self.excuses.setdefault(what, Excuse(rule, reason))

    def is_excused(self, what: Hashable) -> bool:
        if what in self.excuses:
            if self.verbose:
                excuse = self.excuses[what]
                self.note(excuse.rule, excuse.reason)
            return True
        return False

    # ---------------------------------------------------------- conclusions

    def note(self, rule: str, text: str) -> None:
        if self.verbose:
            step = Step(rule, text, self.mode.word)
            if step not in self.steps:
                self.steps.append(step)

    def become(self, mode: Mode, rule: str, text: str) -> None:
        self.mode = mode
        self.note(rule, text)

    def flag(
        self,
        kind: PointKind,
        rule: str,
        why: str,
        gate: tuple[str, ...] = (),
        through: str = "",
        origin: Origin | None = None,
    ) -> None:
        """The rule becomes `Nondet`, and this is why."""
        self.findings.append(Finding(self.unit.id, kind, rule, why, gate, through, origin))
        self.become(NONDET, rule, why)

    def takes_back(
        self, what: str, subject: str, gate: tuple[str, ...], node: str, why: str
    ) -> Origin:
        origin = Origin(self.unit.id, what, subject, gate, node, why)
        self.origins.append(origin)
        return origin

    # ------------------------------------------------------------ questions

    @property
    def is_send(self) -> bool:
        return self.unit.op == "<~"

    @property
    def is_monitor(self) -> bool:
        return self.head.kind in MONITORS

    def kind_at_head(self) -> PointKind:
        """What acting on something unsettled is called here (T5)."""
        if self.timed:
            return PointKind.CLOCK
        if self.is_send or self.is_given:
            return PointKind.EXPORT
        if self.head.kind == "output":
            return PointKind.FINAL_OUTPUT
        return PointKind.LATCH

    @property
    def timed(self) -> bool:
        """Whether a timer or a clock decides when the rule fires."""
        return self.pulsed or bool(self.clock_terms)

    @property
    def clock_terms(self) -> tuple[str, ...]:
        """`now()`, `random()`, `tick_number()`, as far as the rule mentions them."""
        return self.known.lineage.clocks(self.unit)

    @property
    def is_given(self) -> bool:
        """Whether the rule hands rows to a module that seals them: they leave for good."""
        return self.known.contracts.gives(self.unit)

    def cells_of(self, use: Use) -> list[Cell]:
        return [cell for cell in self.cells if cell.use.index == use.index]

    def is_revealed(self, use: Use) -> bool:
        """Whether a lattice column of this atom is matched with something given."""
        return self.typing is not None and use.index in self.typing.reveals

    def rises(self, use: Use) -> bool:
        """Whether a view of aggregates is only asked how far they have risen."""
        return (
            self.typing is not None
            and use.index not in self.typing.opaque
            and implicit_cells(self.system, use.node) is not None
            and all(cell.kept is not Kept.PLAIN for cell in self.cells_of(use))
        )

    def circular(self, use: Use) -> bool:
        """In a temporal cluster of 4.2 that something asynchronous feeds."""
        return use.node in self.system.asynchronous and self.system.recursive(self.unit, use)

    def gate_of(self, use: Use) -> tuple[str, ...]:
        """The columns of a negated atom that the rest of the rule binds."""
        columns = self.system.nodes[use.node].columns
        return tuple(
            column.name
            for column, argument in zip(columns, use.atom.args, strict=True)
            if not isinstance(argument, ir.Wild)
        )

    def group(self) -> tuple[str, ...]:
        """The columns by which the head's aggregates group."""
        return tuple(
            column.name
            for column, argument in zip(self.head.columns, self.unit.rule.args, strict=True)
            if not isinstance(argument, ir.Aggregate)
        )

    def keys(self) -> tuple[str, ...]:
        return tuple(self.head.columns[i].name for i in self.head.keys)
