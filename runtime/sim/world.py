"""One world: virtual time, nodes, network and faults in one process, from one seed.

Nodes tick as real ones do: when something has arrived, a timer fires, or the
last tick asked for another; whatever arrives before a tick shares it.  All that
is left to chance is drawn from the seed, so the same seed and schedule give the
same run, on every machine and hash seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from heapq import heappop, heappush
from typing import Any

from bloomish.runtime.evaluator import Row, Tick
from bloomish.runtime.setaside import Stuck
from bloomish.runtime.sim.actor import Actor
from bloomish.runtime.sim.network import Message, Network
from bloomish.runtime.sim.rates import Rates
from bloomish.runtime.sim.recorder import Recorder
from bloomish.runtime.sim.schedule import SECOND, Fault, LinkFault, NodeFault, Schedule
from bloomish.runtime.sim.stage import Stage

BATCH = SECOND // 2_000  # a node takes up to half a millisecond to get to its next tick
RESEND_FIRST, RESEND_LAST = SECOND // 10, 2 * SECOND
STEP = SECOND  # between two ticks of a Dedalus node


@dataclass(frozen=True, slots=True)
class Violation:
    """A property that does not hold: an invariant's row, an empty `eventually`, a node
    that cannot go on."""

    kind: str
    node: str
    collection: str
    row: Row | None
    time: int
    text: str = ""

    def __str__(self) -> str:
        at = f"{self.node} at {self.time / SECOND:.6f} s"
        if self.row is not None:
            return f"{self.kind} {self.collection}{self.row!r} of {at}"
        return f"{self.kind} {self.collection} of {at}" + (f": {self.text}" if self.text else "")


@dataclass
class World:
    """`run` until a time or a number of ticks; `heal` ends the faults."""

    stage: Stage
    seed: int = 0
    rates: Rates = field(default_factory=Rates)
    planned: Sequence[Fault] = ()
    which: str = "auto"
    recorder: Recorder | None = None

    def __post_init__(self) -> None:
        self.now = 0
        self.ticks = 0
        self.messages = 0
        self.lost = 0
        self.set_aside = 0
        self.violations: list[Violation] = []
        self.network = Network(self.seed, self.rates, self.planned)
        self.actors = {
            member.node: Actor(member, self.stage.evaluator(member, self.seed, self.which))
            for member in self.stage.members
        }
        self._chance = random.Random(f"world/{self.seed}")
        self._queue: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0
        self._digest = blake2b(digest_size=16)
        self._outputs: dict[tuple[str, str], list[Row]] = {}
        self._resend_wait: dict[str, int] = {}
        self._standing: dict[str, object] = {}
        if self.recorder is not None:
            self.recorder.begin(self.stage, self.seed)
        for actor in self.actors.values():
            self._boot(actor)
        for fault in self.planned:
            if isinstance(fault, NodeFault):
                self._plan(fault)
            elif isinstance(fault, LinkFault):
                self.at(fault.start, self._cut, fault, "partition")
                self.at(fault.end, self._cut, fault, "heal")

    # ------------------------------------------------------------- the queue

    def at(self, time: int, what: Callable[..., None], *args: Any) -> None:
        """Have something happen at a virtual time (microseconds)."""
        self._number += 1
        heappush(self._queue, (time, self._number, what, args))

    def run(self, until: int | None = None, ticks: int | None = None) -> None:
        """Let time pass, up to a moment, or until the nodes have taken so many ticks."""
        queue = self._queue
        last = None if ticks is None else self.ticks + ticks
        while queue and (until is None or queue[0][0] <= until):
            if last is not None and self.ticks >= last:
                return
            self.now, _, what, args = heappop(queue)
            what(*args)
        if until is not None:
            self.now = max(self.now, until)

    # ----------------------------------------------------------------- nodes

    def _boot(self, actor: Actor) -> None:
        incarnation = actor.incarnation
        for collection in actor.member.program.collections:
            if collection.kind == "periodic":
                period = max(1, round(collection.period * SECOND))
                self.at(
                    self.now + period, self._fire, actor, incarnation, collection.name, 1, period
                )
        if actor.standing and not self.stage.steps:
            self._resend_wait[actor.node] = RESEND_FIRST
            self.at(self.now + RESEND_FIRST, self._resend, actor, incarnation)
        if self.stage.steps:
            self.at(self.now + STEP, self._step, actor, incarnation)
        else:
            self._tick_at(actor, self.now)

    def _fire(self, actor: Actor, incarnation: int, name: str, number: int, period: int) -> None:
        if actor.incarnation != incarnation or not actor.up:
            return
        self._hand(actor, name, [(number,)])
        self.at(self.now + period, self._fire, actor, incarnation, name, number + 1, period)

    def _resend(self, actor: Actor, incarnation: int) -> None:
        if actor.incarnation != incarnation or not actor.up:
            return
        node = actor.node
        wait = RESEND_FIRST
        if not actor.paused and actor.evaluator.resend():
            frames = actor.evaluator.frames()
            if frames == self._standing.get(node):
                wait = min(2 * self._resend_wait[node], RESEND_LAST)
            self._standing[node] = frames
            self._send(actor, [one for one in frames if one[0] != node], resend=True)
        self._resend_wait[node] = wait
        self.at(self.now + wait, self._resend, actor, incarnation)

    def _step(self, actor: Actor, incarnation: int) -> None:
        """A Dedalus node ticks at every step, and sends again what it still derives."""
        if actor.incarnation != incarnation or not actor.up or actor.stuck:
            return
        self.at(self.now + STEP, self._step, actor, incarnation)
        if not actor.paused:
            self._tick(actor)

    def insert(self, node: str, collection: str, rows: Iterable[Row]) -> None:
        """Rows from a host (or, on a channel, from outside), now."""
        self._hand(self.actors[node], collection, list(rows))

    def _hand(self, actor: Actor, collection: str, rows: Sequence[Row]) -> None:
        if not actor.up or actor.stuck:
            return
        if actor.paused:
            actor.waiting.append((collection, rows))
            return
        actor.evaluator.insert(collection, rows)
        if self.recorder is not None:
            self.recorder.inserted(actor.node, collection, rows)
        self._tick_soon(actor)

    def _arrive(self, message: Message) -> None:
        actor = self.actors[message.receiver]
        passes = self.network.passes(message.sender, message.receiver, self.now)
        if not passes or not actor.up or actor.stuck:
            self.lost += 1
            if self.recorder is not None:
                self.recorder.lost(message, self.now)
            return
        if actor.paused:
            actor.frames.append(message.body)
        else:
            actor.evaluator.receive(message.body)
        if self.recorder is not None:
            self.recorder.received(message)
        if not actor.paused:
            self._tick_soon(actor)

    def _tick_soon(self, actor: Actor) -> None:
        if actor.due < 0 and not self.stage.steps:
            self._tick_at(actor, self.now + int(self._chance.random() * BATCH))

    def _tick_at(self, actor: Actor, time: int) -> None:
        actor.due = time
        self.at(time, self._due, actor, actor.incarnation)

    def _due(self, actor: Actor, incarnation: int) -> None:
        if actor.incarnation != incarnation or not actor.up or actor.stuck:
            return
        actor.due = -1
        if not actor.paused:
            self._tick(actor)

    def _tick(self, actor: Actor) -> None:
        try:
            tick, aside = actor.tick(self.now)
        except Stuck as stuck:
            actor.stuck = str(stuck)
            self._violated("node stopped", actor, "", None, actor.stuck)
            return
        self.ticks += 1
        self.set_aside += len(aside)
        sent = tick.rows_out
        if self.stage.steps:
            sent += actor.evaluator.resend()
        frames = actor.evaluator.frames() if sent else []
        self._digest.update(f"{self.now} {actor.node} {tick.number}".encode())
        if tick.events or tick.added:
            self._digest.update(repr((tick.events, tick.added)).encode())
            self._shown(actor, tick)
        recorder = self.recorder
        if recorder is not None:
            recorder.ticked(actor.node, tick, self.now)
        if frames:
            self._send(actor, frames)
        if recorder is not None:
            recorder.flush(actor.node)
        if tick.again and actor.due < 0 and not self.stage.steps:
            self._tick_at(actor, self.now + BATCH)

    def _shown(self, actor: Actor, tick: Tick) -> None:
        for shown in (tick.events, tick.added):
            for name, rows in shown.items():
                self._outputs.setdefault((actor.node, name), []).extend(rows)
                if name in actor.invariants:
                    for row in rows:
                        self._violated("invariant violated:", actor, name, row)

    def _violated(
        self, kind: str, actor: Actor, collection: str, row: Row | None, text: str = ""
    ) -> None:
        self.violations.append(Violation(kind, actor.node, collection, row, self.now, text))

    def _send(
        self, actor: Actor, frames: Sequence[tuple[str, bytes]], resend: bool = False
    ) -> None:
        """One message per frame."""
        now, node, recorder = self.now, actor.node, self.recorder
        for to, body in frames:
            self._digest.update(body)
            if to not in self.actors:
                continue
            self.messages += 1
            message, arrivals = self.network.send(now, node, to, body)
            if recorder is not None:
                recorder.sent(message, resend, now)
            if not arrivals or not self.network.passes(node, to, now):
                self.lost += 1
                if recorder is not None:
                    recorder.lost(message, now)
                continue
            for at, one in arrivals:
                self._number += 1
                heappush(self._queue, (at, self._number, self._arrive, (one,)))

    # ---------------------------------------------------------------- faults

    def _plan(self, fault: NodeFault) -> None:
        actor = self.actors[fault.node]
        if fault.kind == "skew":
            actor.ahead += fault.amount
        elif fault.kind == "jump":
            self.at(fault.start, self._jump, actor, fault.amount)
        elif fault.kind == "pause":
            self.at(fault.start, self._pause, actor)
            self.at(fault.end, self._resume, actor)
        else:
            self.at(fault.start, self._crash, actor, fault.kind == "crash")
            if fault.kind != "crash":
                self.at(fault.end, self._restart, actor, fault.kind == "losedisk")

    def _cut(self, fault: LinkFault, what: str) -> None:
        """Tells of a partition; the network itself looks at the time."""
        if self.recorder is not None and not self.network.healed:
            self.recorder.happened(what, fault.left[0], self.now, fault.groups)

    def _jump(self, actor: Actor, amount: int) -> None:
        actor.ahead += amount
        self._happened("jump", actor, f"{amount / SECOND:+g} s")

    def _pause(self, actor: Actor) -> None:
        if actor.up and not self.network.healed:
            actor.paused = True
            self._happened("paused", actor)

    def _resume(self, actor: Actor) -> None:
        if not actor.paused:
            return
        actor.paused = False
        self._happened("resumed", actor)
        for collection, rows in actor.waiting:
            actor.evaluator.insert(collection, rows)
        for body in actor.frames:
            actor.evaluator.receive(body)
        actor.waiting, actor.frames = [], []
        self._tick_soon(actor)

    def _crash(self, actor: Actor, for_good: bool) -> None:
        if not actor.up or self.network.healed:
            return
        actor.crash()
        actor.paused = False
        actor.gone = for_good
        self._standing.pop(actor.node, None)
        self._happened("crashed", actor, "for good" if for_good else "")

    def _restart(self, actor: Actor, disk_lost: bool) -> None:
        if actor.up or actor.gone:
            return
        actor.restart(disk_lost)
        self._happened("restarted", actor, "with an empty disk" if disk_lost else "")
        self._boot(actor)

    def _happened(self, what: str, actor: Actor, text: str = "") -> None:
        self._digest.update(f"{what} {actor.node} {self.now}".encode())
        if self.recorder is not None:
            self.recorder.happened(what, actor.node, self.now, text)

    def heal(self) -> None:
        """No more faults: partitions end, the paused go on, who is to come back is back."""
        for fault in self.planned:
            if isinstance(fault, LinkFault) and fault.start <= self.now < fault.end:
                self._cut(fault, "heal")
        self.network.healed = True
        for actor in self.actors.values():
            self._resume(actor)
            self._restart(actor, disk_lost=False)

    # --------------------------------------------------------------- looking

    def rows(self, node: str, collection: str) -> list[Row]:
        """What a collection holds, as the node's last tick saw it."""
        return self.actors[node].evaluator.contents(collection)

    def shown(self, node: str, output: str) -> list[Row]:
        """All that an output (or invariant) has handed over so far."""
        return self._outputs.get((node, output), [])

    def fingerprint(self) -> tuple[bytes, ...]:
        """Of all nodes that are up."""
        return tuple(actor.evaluator.fingerprint() for actor in self.actors.values() if actor.up)

    def trace_hash(self) -> str:
        """Equal for equal runs."""
        return self._digest.hexdigest()

    def schedule(self) -> Schedule:
        """The faults of this run, to be replayed."""
        return (*self.planned_of_nodes(), *self.network.happened)

    def planned_of_nodes(self) -> tuple[Fault, ...]:
        """Those that were planned and are not of single messages."""
        messages = set(map(str, self.network.happened))
        return tuple(fault for fault in self.planned if str(fault) not in messages)
