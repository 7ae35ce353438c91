"""Plans as data: what `bloomish.runtime.plan` makes and the engine reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bloomish import ir

Step = tuple[Any, ...]
"""("rows" | "absent" | "test" | "same" | "let" | "each", ...): see `read_step` in plan.rs."""


@dataclass
class RelationPlan:
    """A relation; `key` counts the columns, from the first, that identify a row."""

    name: str
    arity: int
    key: int
    kind: str
    types: list[Any]
    merges: list[tuple[int, Any]] = field(default_factory=list)
    plain: list[int] = field(default_factory=list)
    ephemeral: bool = False
    tracked: bool = False
    ranked: bool = False
    sourced: bool = False
    indexes: list[list[int]] = field(default_factory=list)

    def slot(self, columns: list[int]) -> int:
        """The index on these columns, made where there was none."""
        if columns not in self.indexes:
            self.indexes.append(columns)
        return self.indexes.index(columns)


@dataclass
class DeltaPlan:
    """The rule driven by the changes of one literal's relation."""

    literal: int
    relation: int
    negated: bool
    same: bool
    steps: list[Step]


@dataclass
class BoundPlan:
    """The rule asked backward: its head's first columns stand in registers."""

    width: int
    register: int
    steps: list[Step]


@dataclass
class AggregatePlan:
    """`columns`: (name, place of the value, place of `by`, places of index's others).

    `running`: the results follow from what came and went; how many matches a group
    has stands in a last column.
    """

    group: int
    plain: list[int]
    columns: list[tuple[str, int, int, list[int]]]
    rule: int
    running: bool


@dataclass
class RulePlan:
    """One rule as plans for each occasion on which it runs."""

    name: str
    head: int
    each_tick: bool
    registers: int
    args: list[tuple[Any, bool]]
    full: list[Step]
    deltas: list[DeltaPlan]
    bound: BoundPlan | None
    aggregate: AggregatePlan | None
    reads: list[int]
    copies: int | None  # the relation whose rows it hands on as they are


@dataclass
class StratumPlan:
    relations: list[int]
    rules: list[int]
    recursive: bool


@dataclass
class TablePlan:
    """A table and what is staged for it; `plus` with the index slot of its key."""

    relation: int
    name: str
    durable: bool
    minus: list[int] = field(default_factory=list)
    replace: list[int] = field(default_factory=list)
    plus: list[tuple[int, int | None]] = field(default_factory=list)


@dataclass
class StagedPlan:
    """`<+` rows of a collection without memory: (what is staged, what it becomes)."""

    relation: int
    events: tuple[int, int] | None = None
    view: tuple[int, int] | None = None


@dataclass
class SendPlan:
    wire: str
    channel: int
    standing: int | None = None
    events: int | None = None


@dataclass
class OutputPlan:
    name: str
    events: int | None = None
    view: int | None = None


@dataclass
class ArrivalPlan:
    name: str
    relation: int
    wire: str | None


@dataclass
class FactsPlan:
    relation: int
    rows: list[tuple[object, ...]]
    at: int | None = None
    table: bool = False
    durable: bool = False
    roster: bool = False


@dataclass
class Plan:
    relations: list[RelationPlan] = field(default_factory=list)
    rules: list[RulePlan] = field(default_factory=list)
    strata: list[StratumPlan] = field(default_factory=list)
    tables: list[TablePlan] = field(default_factory=list)
    staged: list[StagedPlan] = field(default_factory=list)
    sends: list[SendPlan] = field(default_factory=list)
    outputs: list[OutputPlan] = field(default_factory=list)
    arrivals: list[ArrivalPlan] = field(default_factory=list)
    facts: list[FactsPlan] = field(default_factory=list)
    contents: list[tuple[str, int]] = field(default_factory=list)
    last_time: int = 0


@dataclass(frozen=True)
class Body:
    """Literals, each with the relation that it reads (-1: none)."""

    literals: tuple[tuple[ir.Literal, int], ...]


@dataclass
class Virtual:
    """A rule between relations, before its joins are planned."""

    name: str
    head: int
    args: tuple[ir.HeadArg, ...]
    body: Body
    types: Mapping[str, ir.Type]
    each_tick: bool
    head_types: list[ir.Type] = field(default_factory=list)
    source: ir.Rule | None = None
    raw: bool = False  # the head's values are taken as they are
    copy: bool = False
    aggregate: bool = False
