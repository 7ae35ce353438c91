"""What a rule's answer rests on: from a body atom down through views to where rows come in.

A seal says that all rows of a partition are there.  Whether an answer is final
then depends on what lies beneath it: only rules of the same tick, and nothing
but what is sealed where absence or a total is asked for.  The walk carries the
partition with it: which columns hold the value of which of the question's
variables.

It is shared by those who insert seals, who walk down to channels and inputs,
and by the refinement that trusts them (R14), which stops at what is sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bloomish import ir
from bloomish.analysis.graph import System, Unit, Use
from bloomish.analysis.modes import CONST, LASTING, Mode

Fixed = tuple[tuple[int, ir.Expr], ...]
"""Columns, and the question's variable or the constant that each holds."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A collection that the walk ends at.  `strict`: it must be complete, since something is
    asked for that more rows would take back; else more rows only add."""

    node: str
    fixed: Fixed
    strict: bool


@dataclass(slots=True)
class Ground:
    """What lies beneath: the leaves, the rules on the way, what stands in the way of a seal."""

    leaves: list[Leaf] = field(default_factory=list)
    units: dict[int, Unit] = field(default_factory=dict)
    obstacles: list[str] = field(default_factory=list)


class Walk:
    """Walks within one system whose modes are known."""

    def __init__(
        self,
        system: System,
        modes: Mapping[str, Mode],
        is_leaf: Callable[[str], bool],
        reveals: Callable[[Unit, Use], bool],
        clocks: Callable[[Unit], tuple[str, ...]],
    ) -> None:
        self.system, self.modes, self.is_leaf = system, modes, is_leaf
        self.reveals, self.clocks = reveals, clocks

    def question(self, unit: Unit, uses: tuple[Use, ...], strict: bool = False) -> Ground:
        """Beneath some atoms of the rule that asks; `strict`: all of it must be complete."""
        ground = Ground()
        group = {argument for argument in unit.rule.args if isinstance(argument, ir.Var)}
        for use in uses:
            fixed = tuple(
                (column, argument)
                for column, argument in enumerate(use.atom.args)
                if isinstance(argument, ir.Const)
                or (isinstance(argument, ir.Var) and (not unit.aggregates or argument in group))
            )
            self._use(unit, use, fixed, strict, ground, set())
        return ground

    def _use(
        self,
        unit: Unit,
        use: Use,
        fixed: Fixed,
        strict: bool,
        ground: Ground,
        seen: set[tuple[str, Fixed, bool]],
    ) -> None:
        strict = strict or use.atom.negated or bool(unit.aggregates) or self.reveals(unit, use)
        node = use.node
        if self.modes[node] is CONST and not self.is_leaf(node):
            return
        if (node, fixed, strict) in seen:
            return
        seen.add((node, fixed, strict))
        if use.atom.at is not None:
            ground.obstacles.append(f"{use.atom.collection} is read at one tick of its own")
        elif self.is_leaf(node):
            ground.leaves.append(Leaf(node, fixed, strict))
        elif not strict and self.system.nodes[node].persisted and self.modes[node] in LASTING:
            ground.leaves.append(Leaf(node, fixed, strict))
        elif self.system.nodes[node].kind == "periodic":
            ground.obstacles.append(f"the timer {use.atom.collection} decides when it is asked")
        else:
            self._node(node, fixed, strict, ground, seen)

    def _node(
        self,
        node: str,
        fixed: Fixed,
        strict: bool,
        ground: Ground,
        seen: set[tuple[str, Fixed, bool]],
    ) -> None:
        name = self.system.nodes[node].collection.name
        for unit in self.system.producers[node]:
            why = self._obstacle(unit, name)
            if why:
                ground.obstacles.append(why)
                continue
            ground.units[unit.id] = unit
            holds: dict[ir.Expr, ir.Expr] = {}
            for column, value in fixed:
                argument = unit.rule.args[column]
                if isinstance(argument, ir.Var):
                    holds.setdefault(argument, value)
            for use in unit.uses:
                inner = tuple(
                    (column, argument if isinstance(argument, ir.Const) else holds[argument])
                    for column, argument in enumerate(use.atom.args)
                    if isinstance(argument, ir.Const) or argument in holds
                )
                self._use(unit, use, inner, strict, ground, seen)

    def _obstacle(self, unit: Unit, name: str) -> str:
        """Why what a rule derives need not be whole when what it is derived from is."""
        if unit.op in ("<-", "<+-"):
            return f"rows of {name} are deleted or replaced"
        if unit.op != "<=":
            return f"rows of {name} come a tick after what they are made of (`{unit.op}`)"
        if self.clocks(unit):
            return f"a clock flows into {name}"
        if self.system.nodes[unit.head].persisted and self.modes[unit.head] not in LASTING:
            asks = [use for use in unit.negatives if self.modes[use.node] is not CONST]
            asks += [use for use in unit.positives if self.reveals(unit, use)]
            if asks or unit.aggregates:
                return f"{name} stores what may be taken back"
        return ""
