"""One simulated node: an evaluator, its clock, and what a crash leaves of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bloomish.ephemeral import ephemeral_collections, is_ephemeral
from bloomish.runtime.evaluator import Evaluator, Row, Tick, TickFailed
from bloomish.runtime.setaside import SetAside, Shelf, rescue, skips
from bloomish.runtime.sim.schedule import SECOND
from bloomish.runtime.sim.stage import Member

EPOCH = 1_700_000_000.0  # virtual time zero, as `now()` tells it


@dataclass
class Actor:
    """`up`: not crashed.  `paused`: does nothing, and what arrives waits."""

    member: Member
    evaluator: Evaluator
    up: bool = True
    gone: bool = False
    paused: bool = False
    incarnation: int = 1
    ahead: int = 0
    due: int = -1  # when its next tick is scheduled, -1: it is not
    stuck: str = ""
    shelf: Shelf = field(default_factory=Shelf)
    waiting: list[tuple[str, Sequence[Row]]] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    disk: dict[str, dict[Row, None]] = field(default_factory=dict)
    committed: bool = False

    def __post_init__(self) -> None:
        program = self.member.program
        known = ephemeral_collections(program)
        self.node = self.member.node
        self.standing = any(
            rule.op == "<~" and not is_ephemeral(program, rule, known) for rule in program.rules
        )
        self.durable = [c.name for c in program.collections if c.durable]
        self.invariants = [c.name for c in program.collections if c.kind == "invariant"]
        self._skips = skips(program)
        self._fresh = self.evaluator.snapshot()

    def clock(self, now: int) -> float:
        """What the node's clock says."""
        return EPOCH + (now + self.ahead) / SECOND

    def tick(self, now: int) -> tuple[Tick, Sequence[SetAside]]:
        """Raises Stuck where the node cannot go on."""
        time = self.clock(now)
        aside: Sequence[SetAside] = ()
        try:
            tick = self.evaluator.tick(time)
        except TickFailed as failure:
            saved = rescue(self.evaluator, self.shelf, failure, time, 0, self._skips)
            tick, aside = saved.tick, saved.aside
        if self.durable:
            self._commit(tick)
        return tick, aside

    def _commit(self, tick: Tick) -> None:
        self.committed = True
        for name, (removed, added) in tick.durable.items():
            table = self.disk.setdefault(name, {})
            for row in removed:
                table.pop(row, None)
            table.update(dict.fromkeys(added))

    def crash(self) -> None:
        """All that is not on disk is gone."""
        self.up = False
        self.due = -1
        self.waiting.clear()
        self.frames.clear()
        self.evaluator.restore(self._fresh)

    def restart(self, disk_lost: bool) -> None:
        """Back, with the durable tables as the last tick committed them."""
        self.up = True
        self.incarnation += 1
        if disk_lost:
            self.disk, self.committed = {}, False
        if self.committed:
            self.evaluator.load({name: list(self.disk.get(name, ())) for name in self.durable})
