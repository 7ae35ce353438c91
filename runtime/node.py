"""One node: an evaluator, a transport, timers and hosts on one asyncio loop.

Whatever has arrived when a tick starts is in it.  A frame that is all that is
ready in a turn of the loop ticks at once, which is what makes an echo quick;
else the tick waits for the turn's end and takes everything that came.  Ticks
that only want the next one follow each other for a moment, with one commit for
all of them; then the loop has its turn.  Nothing is polled: a node with nothing to do
sleeps in the selector.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bloomish import ir
from bloomish.ephemeral import is_ephemeral
from bloomish.runtime import trace as tracing
from bloomish.runtime.connections import Limits, Shared
from bloomish.runtime.counters import Complaints, Counters
from bloomish.runtime.desk import Desk
from bloomish.runtime.directory import Directory, Place
from bloomish.runtime.door import Inbound
from bloomish.runtime.evaluator import (
    FRAME_MAXIMUM,
    Evaluator,
    Refusal,
    Row,
    Series,
    Tick,
    TickFailed,
)
from bloomish.runtime.framing import Malformed, count_rows, plain_rows
from bloomish.runtime.series import alone, followed
from bloomish.runtime.setaside import SetAside, Shelf, Stuck, rescue, skips
from bloomish.runtime.store import Store, StoreFault
from bloomish.runtime.timers import FIRST, LAST, Periodic, Resend
from bloomish.runtime.tls import Credentials
from bloomish.runtime.transport import Transport
from bloomish.values import Values

IN_A_ROW = 256
"""So many ticks may share a commit and a turn of the loop, where each only wants the next."""
PATIENCE = 0.002
"""For so long, in seconds, before arrivals and other connections have their turn."""
UNTOLD = 0.01
"""So long, in seconds, may changes wait for a commit of which nothing has left."""


@dataclass(frozen=True)
class Settings:
    """What can be set about a node; `incarnation` counts its starts in this cluster."""

    incarnation: int = 1
    limits: Limits = Limits()
    resend_first: float = FIRST
    resend_last: float = LAST


class Node:
    """See the module.  `open` the door, then `begin` once the directory is complete."""

    def __init__(
        self,
        program: ir.Program,
        evaluator: Evaluator,
        directory: Directory,
        *,
        values: Values,
        settings: Settings | None = None,
        credentials: Credentials | None = None,
        store: Store | None = None,
        trace: tracing.TraceFile | None = None,
        on_stop: Callable[[str], None] = lambda reason: None,
    ) -> None:
        settings = settings or Settings()
        self.address = evaluator.node
        self.program = program
        self.evaluator = evaluator
        self.values = values
        self.counters = Counters()
        self.shelf = Shelf()
        self._skips = skips(program)
        self.tick_number = 0
        self.stopped: str | None = None
        self.log = logging.getLogger(f"bloomish.node.{self.address}")
        self.complain = Complaints(self.log)
        self._incarnation = settings.incarnation
        self._store = store
        self._trace = trace
        self._in_a_row = IN_A_ROW if trace is None else 1  # a trace has every tick
        self._on_stop = on_stop
        self._begun = False
        self._loop_ready: Sequence[object] = (None,)
        self._turn_due = False
        self._wanted = False
        self._fresh = False
        self._progress = time.monotonic()
        self._invariants = {one.name for one in program.collections if one.kind == "invariant"}
        self._channels = {one.wire for one in program.collections if one.kind == "channel"}
        self._loopback = 0
        self._trace_inserts: dict[str, list[Row]] = {}
        self._trace_receives: list[tracing.Receive] = []
        self._trace_sends: list[tracing.Send] = []
        self.transport = Transport(
            Shared(
                self.address,
                settings.incarnation,
                directory,
                self,
                self.counters,
                self.complain,
                settings.limits,
                credentials,
                self._lost,
            )
        )
        self.desk = Desk(program, self)
        self._periodics = [
            Periodic(one.period, lambda number, name=one.name: self._fired(name, number))  # type: ignore[misc]
            for one in program.collections
            if one.kind == "periodic"
        ]
        self._resend: Resend | None = None
        self._settling = False
        """A commit is due within UNTOLD."""
        self._standing: list[tuple[str, bytes]] = []
        self._standing_rows = 0
        if any(rule.op == "<~" and not is_ephemeral(program, rule) for rule in program.rules):
            self._resend = Resend(
                self._look, self._send_standing, settings.resend_first, settings.resend_last
            )

    # -- life

    async def open(self, host: str = "127.0.0.1", port: int = 0) -> Place:
        """Open the door; the place that others find it at."""
        return await self.transport.listen(host, port)

    def begin(self) -> None:
        """The first tick: facts, and what persistent rules make of them."""
        self._begun = True
        if self._store is not None:
            tables = self._store.tables()
            if tables is not None:
                self.evaluator.load(tables)
        # asyncio's own queue of what is ready in this turn.  A loop without it (uvloop) is
        # taken as never idle: each tick then waits for the turn's end, and all is as right.
        self._loop_ready = getattr(asyncio.get_running_loop(), "_ready", (None,))
        self._happened("restart" if self._incarnation > 1 else "start")
        for periodic in self._periodics:
            periodic.start()
        self._tick()

    def stop(self, reason: str = "") -> None:
        """No more ticks.  A reason makes it a failure."""
        if self.stopped is not None:
            return
        self.stopped = reason
        for periodic in self._periodics:
            periodic.stop()
        if self._resend is not None:
            self._resend.stop()
        if reason:
            self.log.error("%s", reason)
        self._happened("stop", reason)
        self.desk.farewell(reason or f"{self.address} has been stopped")
        self._on_stop(reason)

    async def close(self, patience: float = 1.0) -> None:
        """Stop, let the queues leave for a moment, close everything."""
        self.stop()
        await self.transport.close(patience)
        self._settle_or_stop()
        store, self._store = self._store, None
        if store is not None:
            store.close()
        if self._trace is not None:
            self._trace.close()

    # -- turns of the loop

    def wake(self) -> None:
        """A tick is due, in the next turn of the loop."""
        self._wanted = True
        if not self._turn_due:
            self._turn_due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def batch_arrived(self) -> None:
        """The frames of one read are in.  Tick at once if nothing else is ready in this turn
        of the loop; else what is ready comes first, and shares the tick."""
        if not self._fresh:
            return
        if self._turn_due or self._loop_ready:
            self.wake()
        else:
            self._tick()

    def _turn(self) -> None:
        self._turn_due = False
        if self._wanted:
            self._tick()

    # -- a tick

    def _tick(self) -> None:
        if not self._begun or self.stopped is not None:
            return
        try:
            self._take_tick()
        except Stuck as stuck:
            self.stop(f"the tick fails without any arrival, the node cannot go on: {stuck}")
        except StoreFault as fault:
            self.stop(f"the tick could not be committed: {fault}")
        except Exception:
            self.stop(f"a tick ended in a defect of the runtime:\n{traceback.format_exc()}")

    def _take_tick(self) -> None:
        self._wanted = self._fresh = False
        now = time.time()
        aside: Sequence[SetAside] = ()
        try:
            done = self._series(now)
        except TickFailed as failure:
            done, aside = self._rescue(failure, now)
            if self._store is not None:
                self._store.take(done)
        if self._store is not None:
            if done.rows_out or aside or self._trace is not None or self.desk.expects(done):
                self._settle()
            elif self._store.owes:
                self._settle_soon()
        # From here on the ticks are facts: sends, outputs and answers may leave.
        self.tick_number = done.number
        counters = self.counters
        counters.ticks += done.count
        counters.rows_in += done.rows_in
        if done.rows_out:
            counters.rows_out += done.rows_out
            self._send(self.evaluator.frames())
            if self._resend is not None:
                self._resend.sent_something()
        if self._invariants:
            for tick in done.shown:
                self._check(tick)
        if self._trace is not None:
            self._record(done.shown[0] if done.shown else done, now)
        if self.desk.busy:
            self.desk.ticked(done.shown, aside)
        if done.again:
            self.wake()
        if done.rows_out or done.again or done.shown or done.durable or aside:
            self._progress = time.monotonic()

    def _series(self, now: float) -> Series:
        """Ticks in a row, their changes taken by the store.

        A tick that sends, and before which there is nothing to commit, ends the row: it leaves at
        once, and what follows is committed while others work on what they were sent."""
        store = self._store
        if store is None:
            return self.evaluator.series(now, self._in_a_row, PATIENCE)
        done = self.evaluator.series(now, 1, PATIENCE)
        store.take(done)
        if not done.again or self._in_a_row == 1 or (done.rows_out and not store.owes):
            return done
        try:
            more = self.evaluator.series(now, self._in_a_row - 1, PATIENCE)
        except TickFailed:
            return done  # it is the first one of the next series, and says so then
        store.take(more)
        return followed(done, more)

    def _settle(self) -> None:
        """Make last what the ticks so far have changed: something of it is going to leave."""
        if self._store is not None and self._store.owes:
            self._store.settle()
            self.counters.commits += 1

    def _settle_soon(self) -> None:
        """Nothing leaves now: it may share the commit of what comes next, for a moment."""
        if not self._settling:
            self._settling = True
            asyncio.get_running_loop().call_later(UNTOLD, self._settle_due)

    def _settle_due(self) -> None:
        self._settling = False
        self._settle_or_stop()

    def _settle_or_stop(self) -> None:
        try:
            self._settle()
        except StoreFault as fault:
            self.stop(f"ticks could not be committed: {fault}")

    def _rescue(self, failure: TickFailed, now: float) -> tuple[Series, Sequence[SetAside]]:
        """The tick without the rows that make it fail; these are set aside."""
        number = self.tick_number + 1
        saved = rescue(self.evaluator, self.shelf, failure, now, number, self._skips)
        self.counters.ticks_failed += len(saved.failures)
        if (passed := saved.passed_over) is not None:
            self.counters.ticks_failed += 1
            self.complain(f"passed over {passed.rule}", f"a command is passed over: {passed}")
            self._happened("passed over", str(passed))
        self.counters.rows_set_aside += len(saved.aside)
        for one, why in zip(saved.aside, saved.failures, strict=False):
            self.complain(
                f"aside {why.rule}",
                f"set aside (no. {one.number}) {one.collection}{one.row!r}: {why}",
            )
        if len(saved.aside) > len(saved.failures):
            self.log.warning("%s rows set aside: the whole batch", f"{len(saved.aside):,}")
        for one in saved.aside:
            self._happened("set aside", f"{one.collection}{one.row!r}: {one.reason}")
        return alone(saved.tick), saved.aside

    def _send(self, frames: Sequence[tuple[str, bytes]], resend: bool = False) -> None:
        counters = self.counters
        for peer, body in frames:
            if peer == self.address:
                self._loop_back(body, resend)
                continue
            link = self.transport.links.get(peer)
            if link is None or len(body) > FRAME_MAXIMUM:
                if not self._deliverable(peer, body, resend):
                    continue
                link = self.transport.link(peer)
            if resend and not link.idle:
                # What stands for it waits in the queue already, or behind what does.
                counters.resends_held_back += 1
                continue
            counters.frames_out += 1
            counters.bytes_out += len(body)
            link.send(body)
            if self._trace is not None:
                self._trace_sends.append(
                    tracing.Send(self._id(peer, link.number), peer, plain_rows(body), resend)
                )

    def _deliverable(self, peer: str, body: bytes, resend: bool) -> bool:
        """Whether a frame has somewhere to go; if not, its rows are lost, told and counted
        (once, not at every resend)."""
        if peer not in self.transport.shared.directory.nodes:
            why = f"no node {peer!r} belongs to this cluster"
        elif len(body) > FRAME_MAXIMUM:
            why = f"a row for {peer} makes a frame of {len(body):,} bytes, which nobody takes"
        else:
            return True
        if not resend:
            rows = count_rows(body)
            self.counters.rows_lost += rows
            self.complain("undeliverable", f"{rows:,} row(s) lost: {why}")
        return False

    def _loop_back(self, body: bytes, resend: bool) -> None:
        """Rows for this very node: they arrive for its next tick, and none is ever lost."""
        if resend:
            return
        self._loopback += 1
        if self._trace is not None:
            rows = plain_rows(body)
            number = self._id(self.address, self._loopback)
            self._trace_sends.append(tracing.Send(number, self.address, rows))
            self._trace_receives.append(tracing.Receive(number, self.address, rows))
        received = self.evaluator.receive(body)
        self._refuse(self.address, received.refused)
        self.wake()

    def _check(self, tick: Tick) -> None:
        for name in self._invariants:
            rows = [*tick.events.get(name, ()), *tick.added.get(name, ())]
            self.counters.violations += len(rows)
            for row in rows:
                self.complain(
                    f"invariant {name}", f"invariant violated at tick {tick.number}: {name}{row!r}"
                )

    # -- timers

    def _fired(self, name: str, number: int) -> None:
        self.evaluator.insert(name, [(number,)])
        self._note_inserts(name, [(number,)])
        self.wake()

    def _look(self) -> int | None:
        """What has been standing for a while, for the resend timer; kept to be sent."""
        self._standing_rows, standing = self.evaluator.resend_stood()
        self._standing = self.evaluator.frames() if self._standing_rows else []
        if not self._standing:
            return 0 if standing else None
        return hash(tuple(self._standing))

    def _send_standing(self) -> None:
        self._settle_or_stop()
        standing, self._standing = self._standing, []
        self.counters.rows_resent += self._standing_rows
        self._send(standing, resend=True)
        if self._trace is not None:
            self._record(Tick(self.tick_number), time.time())

    # -- what the transport tells

    def rows_arrived(self, sender: str, incarnation: int, number: int, body: bytes) -> None:
        """A frame of a peer, for the next tick."""
        counters = self.counters
        counters.frames_in += 1
        counters.bytes_in += len(body)
        received = self.evaluator.receive(body)
        if received.rows:
            self._fresh = True
        if received.refused:
            self._refuse(sender, received.refused)
        if self._trace is not None:
            self._trace_frame(sender, incarnation, number, body)

    def _refuse(self, sender: str, refused: Sequence[Refusal]) -> None:
        for refusal in refused:
            if refusal.channel:
                self.counters.rows_refused += refusal.rows
            else:
                self.counters.frames_refused += 1
            known = refusal.channel in self._channels
            self.complain(
                f"refused {refusal.channel if known else '?'}",
                f"refused {refusal.rows:,} row(s) from {sender}"
                f"{' for ' + refusal.channel if refusal.channel else ''}: {refusal.reason}",
            )

    def peer_reached(self, peer: str) -> None:
        """A peer is back: what stands goes out now."""
        if self._resend is not None:
            self._resend.at_once()

    def pressure_changed(self) -> None:
        """Some queue passed the high mark, up or down."""
        self.desk.pressure_changed()

    @property
    def pressed(self) -> bool:
        """Inserts wait."""
        return self.transport.pressed

    def host_joined(self, host: Inbound) -> dict[str, Any]:
        """A host said hello."""
        return self.desk.joined(host)

    def host_asked(self, host: Inbound, message: tuple[Any, ...]) -> None:
        """A request of a host."""
        self._settle_or_stop()  # it may ask for what the node knows
        self.desk.asked(host, message)

    def host_left(self, host: Inbound) -> None:
        """A host's connection is gone."""
        self.desk.left(host)

    def inserted(self, collection: str, rows: Sequence[Row]) -> None:
        """A host's rows were taken for the next tick."""
        self._progress = time.monotonic()
        self._note_inserts(collection, rows)

    # -- how it is

    def status(self) -> dict[str, Any]:
        """Counters and queues, and what tells a quiet cluster from a busy one."""
        links = self.transport.links.items()
        if self._trace is not None:
            self.counters.trace_records_lost = self._trace.lost
        return {
            "address": self.address,
            "program": self.program.name,
            "evaluator": self.evaluator.name,
            "incarnation": self._incarnation,
            "tick": self.tick_number,
            "counters": self.counters.as_dict(),
            "queues": {peer: [len(link.queue), link.queued] for peer, link in links},
            "unreachable": [peer for peer, link in links if link.unreachable],
            "outstanding": {peer: link.outstanding for peer, link in links},
            "taken": {
                peer: [one.incarnation, one.position]
                for peer, one in self.transport.door.taken.items()
            },
            "pending": self._wanted or self.desk.owing > 0,
            "quiet": time.monotonic() - self._progress,
            "set_aside": len(self.shelf.rows),
        }

    # -- the trace

    def _id(self, peer: str, number: int) -> str:
        return frame_id(self.address, self._incarnation, peer, number)

    def _trace_frame(self, sender: str, incarnation: int, number: int, body: bytes) -> None:
        try:
            rows = plain_rows(body)
        except Malformed:
            rows = {}  # refused and counted; the arrow is drawn all the same
        name = frame_id(sender, incarnation, self.address, number)
        self._trace_receives.append(tracing.Receive(name, sender, rows))

    def _note_inserts(self, collection: str, rows: Sequence[Row]) -> None:
        if self._trace is not None:
            self._trace_inserts.setdefault(collection, []).extend(rows)

    def _record(self, tick: Tick, now: float) -> None:
        assert self._trace is not None
        self._trace.write(
            tracing.TickRecord(
                self.address,
                tick.number,
                now,
                self._trace_inserts,
                self._trace_receives,
                self._trace_sends,
                tick.events,
                tick.added,
                tick.removed,
            )
        )
        self._trace_inserts = {}
        self._trace_receives = []
        self._trace_sends = []

    def _happened(self, what: str, text: str = "", ids: Sequence[str] = ()) -> None:
        if self._trace is not None:
            self._trace.write(
                tracing.Happening(what, self.address, time.time(), text, ids, self.tick_number)
            )

    def _lost(self, peer: str, first: int, frames: int) -> None:
        self._happened(
            "lost", f"to {peer}", [self._id(peer, first + place) for place in range(frames)]
        )


def frame_id(sender: str, incarnation: int, receiver: str, number: int) -> str:
    """A frame's id in a trace."""
    name = sender if incarnation == 1 else f"{sender}.{incarnation}"
    return f"{name}>{receiver}#{number}"
