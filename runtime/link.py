"""The way to one peer: a queue, and a connection while there is something to send.

A link carries rows one way; the peer dials its own for the other.  Frames are
numbered per link.  When a connection is made, the listener says up to which
number it has taken frames of this incarnation of the sender, and the sender
goes on from there: what was under way when a connection broke is sent again,
not lost, and not delivered twice either while both processes live.  Nothing in
a program may rely on that (channels may lose and duplicate), but nothing is
lost silently.

Queues are bounded and counted.  A live peer that takes nothing for `stall`
seconds while its queue is above the high mark is disconnected and its queue
dropped and counted; of a peer that cannot be reached at all, the oldest rows
above the mark are.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import deque

from bloomish.runtime import tls
from bloomish.runtime.connections import Shared
from bloomish.runtime.directory import UnknownNode
from bloomish.runtime.framing import (
    LENGTH,
    PROTOCOL,
    Framed,
    Kind,
    Malformed,
    count_rows,
    failed,
    pack,
    unpack,
)

PING = pack([Kind.PING])


class Outgoing(Framed):
    """One connection of a link."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link
        self.welcome: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()
        self.heard = False
        self.writable = True

    @property
    def takes(self) -> bool:
        """Frames may be written.  A connection that has failed takes nothing any more, though we
        hear of its end only in a later turn of the loop: until then they stay in the queue."""
        return self.writable and self.open and not failed(self.transport)

    def give_up(self) -> None:
        """Nobody waits for the welcome any more, whatever may still come of it."""
        if self.welcome.done():
            if not self.welcome.cancelled():
                self.welcome.exception()
        else:
            self.welcome.cancel()
        if self.open:
            self.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        shared = self.link.shared
        if shared.credentials is not None:
            certified = tls.names(self.transport.get_extra_info("peercert"))
            if self.link.peer not in certified:
                self._refuse(
                    f"whoever listens there has a certificate for {tls.some(certified)}, not for it"
                )
                return
        self.send(
            pack(
                [
                    Kind.HELLO,
                    {
                        "protocol": PROTOCOL,
                        "cluster": shared.directory.cluster,
                        "from": shared.address,
                        "to": self.link.peer,
                        "incarnation": shared.incarnation,
                    },
                ]
            )
        )

    def frame_received(self, body: bytes) -> None:
        self.heard = True
        try:
            message = unpack(body)
            kind = message[0]
            if kind == Kind.TAKEN and self.welcome.done():
                self.link.taken(int(message[1]))
            elif kind == Kind.WELCOME and not self.welcome.done():
                if message[1]["node"] != self.link.peer:
                    raise Malformed(f"it says that it is {message[1]['node']!r}")
                self.allow()
                self.welcome.set_result(
                    (int(message[1]["incarnation"]), int(message[1]["position"]))
                )
            elif kind == Kind.REFUSED:
                self._refuse(f"it refuses us: {message[1]}")
            else:
                raise Malformed(f"a message of kind {kind} does not belong here")
        except (Malformed, LookupError, TypeError, ValueError) as fault:
            self.stream_fault(f"it does not speak our protocol: {fault}")

    def stream_fault(self, reason: str) -> None:
        self.link.shared.counters.frames_refused += 1
        self._refuse(reason)

    def _refuse(self, reason: str) -> None:
        if not self.welcome.done():
            self.welcome.set_exception(ConnectionRefusedError(reason))
        else:
            self.link.shared.complain("link", f"{self.link.peer}: {reason}")
        self.abort()

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        self.link.pump()

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if not self.welcome.done():
            self.welcome.set_exception(exc or ConnectionResetError("it closed the connection"))
        self.link.connection_lost(self)


class Link:
    """The way to one peer: a queue, and a connection while there is something to send."""

    def __init__(self, shared: Shared, peer: str) -> None:
        self.shared = shared
        self.peer = peer
        self.number = 0
        """Number of the last frame that was queued."""
        self.queue: deque[bytes] = deque()
        self.queued = 0
        """Bytes in the queue."""
        self.under_way: deque[bytes] = deque()
        """Written and not yet known to be taken; at most a few dozen, or what the kernel holds."""
        self.unreachable = False
        self.pressed = False
        self._connection: Outgoing | None = None
        self._dialing: asyncio.Task[None] | None = None
        self._known: int | None = None
        self._check: asyncio.TimerHandle | None = None
        self._alive: asyncio.TimerHandle | None = None
        self._mark = (0, 0)
        self._asked = 0
        self._made: float | None = None
        """When the last connection was made."""
        self._wait = shared.limits.backoff_first

    # -- sending

    def send(self, body: bytes) -> None:
        """Queue a frame and let it leave as soon as it can."""
        self.number += 1
        connection = self._connection
        if connection is not None and not self.queue and connection.takes:
            self.under_way.append(body)
            connection.transport.write(LENGTH.pack(len(body)) + body)
            return
        self.queue.append(body)
        self.queued += len(body)
        if connection is None:
            self._dial()
            if self.unreachable:
                self._trim()
        self._press()

    def pump(self) -> None:
        """Write while the connection takes it."""
        connection = self._connection
        while connection is not None and self.queue and connection.takes:
            body = self.queue.popleft()
            self.queued -= len(body)
            self.under_way.append(body)
            connection.send(body)
        self._press()

    @property
    def idle(self) -> bool:
        """Nothing waits here."""
        return not self.queue

    @property
    def outstanding(self) -> int:
        """Number of the last frame that the peer may not have taken yet; 0: none."""
        return self.number if self.queue or self.under_way else 0

    def taken(self, number: int) -> None:
        """The peer has taken all frames up to this number."""
        first = self.number - len(self.queue) - len(self.under_way) + 1
        for _ in range(min(number - first + 1, len(self.under_way))):
            self.under_way.popleft()

    # -- connecting

    def _dial(self) -> None:
        if self._dialing is None or self._dialing.done():
            self._dialing = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        shared, limits = self.shared, self.shared.limits
        loop = asyncio.get_running_loop()
        failures = 0
        if self._made is None or loop.time() - self._made > limits.backoff_last:
            self._wait = limits.backoff_first
        else:  # a connection that does not last is no better than none
            await self._pause()
        while True:
            connection = Outgoing(self)
            try:
                async with asyncio.timeout(limits.handshake):
                    incarnation, position = await self._open(connection)
                break
            except (OSError, ssl.SSLError, UnknownNode, TimeoutError) as fault:
                failures += 1
                if failures == 2:  # a first failure may be a cluster that stops
                    why = str(fault) or "it does not answer"
                    shared.complain("dial", f"{self.peer} cannot be reached, trying on: {why}")
                self.unreachable = True
                self._trim()
                self._press()
            await self._pause()
        self._made = loop.time()
        if not connection.open:
            self._dialing = None
            self._dial()
            return
        was_unreachable, self.unreachable = self.unreachable, False
        if was_unreachable or self._known is not None:
            shared.complain("reached", f"{self.peer} is reached again")
        if incarnation == self._known:
            # It is the process that we knew: what it has taken need not be sent again.
            first = self.number - len(self.queue) + 1
            for _ in range(min(position - first + 1, len(self.queue))):
                self.queued -= len(self.queue.popleft())
        again = self._known is not None or was_unreachable
        self._known = incarnation
        shared.counters.connections_made += 1
        self._connection = connection
        connection.send(pack([Kind.START, self.number - len(self.queue) + 1]))
        self._asked = 0
        connection.heard = True
        self._watch_over(connection)
        self.pump()
        if again:
            shared.receiver.peer_reached(self.peer)

    async def _pause(self) -> None:
        """Wait before dialling again, longer each time."""
        await asyncio.sleep(self._wait * random.uniform(0.8, 1.2))
        self._wait = min(self._wait * 2, self.shared.limits.backoff_last)

    async def _open(self, connection: Outgoing) -> tuple[int, int]:
        """Make the connection; what the peer says when we are welcome."""
        shared = self.shared
        try:
            host, port = shared.directory.find(self.peer)
            context = shared.credentials.client() if shared.credentials is not None else None
            await asyncio.get_running_loop().create_connection(
                lambda: connection, host, port, ssl=context
            )
            return await connection.welcome
        except BaseException:  # it may have been made all the same, when we are cancelled
            connection.give_up()
            raise

    def connection_lost(self, connection: Outgoing) -> None:
        """What was under way goes back to the head of the queue."""
        if connection is not self._connection:
            return
        self._connection = None
        self.shared.counters.connections_lost += 1
        if self._alive is not None:
            self._alive.cancel()
        self.queue.extendleft(reversed(self.under_way))
        self.queued += sum(map(len, self.under_way))
        self.under_way.clear()
        if self.queue:
            self._dial()
        self._press()

    # -- a peer that takes nothing, a peer that is not there

    def _press(self) -> None:
        """Note whether the queue stands above the mark, and watch a live peer that lets it."""
        pressed = self.queued > self.shared.limits.high_mark and not self.unreachable
        if pressed and self._check is None:
            self._mark = self._progress()
            self._check = asyncio.get_running_loop().call_later(
                self.shared.limits.stall, self._stalled
            )
        if pressed != self.pressed:
            self.pressed = pressed
            self.shared.receiver.pressure_changed()

    def _progress(self) -> tuple[int, int]:
        connection = self._connection
        waiting = connection.transport.get_write_buffer_size() if connection is not None else -1
        return (len(self.queue) - self.number, waiting)

    def _stalled(self) -> None:
        self._check = None
        if not self.pressed:
            return
        if self._progress() != self._mark or self._connection is None:
            self._press()
            return
        self.shared.counters.peers_disconnected += 1
        connection, self._connection = self._connection, None
        self.shared.counters.connections_lost += 1
        connection.abort()
        if self._alive is not None:
            self._alive.cancel()
        self.queue.extendleft(reversed(self.under_way))
        self.under_way.clear()
        rows = self._drop(len(self.queue))
        self.shared.complain(
            "stalled",
            f"{self.peer} has taken nothing for {self.shared.limits.stall:g} s while its queue was "
            f"full: disconnected, {rows:,} rows lost",
        )
        self._press()

    def _trim(self) -> None:
        """The peer cannot be reached: keep the newest frames up to the high mark."""
        excess = self.queued - self.shared.limits.high_mark
        frames = 0
        while excess > 0 and frames < len(self.queue):
            excess -= len(self.queue[frames])
            frames += 1
        if frames:
            rows = self._drop(frames)
            self.shared.complain(
                "unreachable",
                f"{self.peer} cannot be reached and its queue is full: {rows:,} rows lost",
            )

    def _drop(self, frames: int) -> int:
        """Lose the oldest frames; how many rows that is."""
        first = self.number - len(self.queue) + 1
        rows = 0
        for _ in range(frames):
            body = self.queue.popleft()
            rows += count_rows(body)
        self.queued = sum(map(len, self.queue))
        self.shared.counters.rows_lost += rows
        self.shared.lost(self.peer, first, frames)
        return rows

    def _watch_over(self, connection: Outgoing) -> None:
        """Ask a silent connection; close it when it stays silent (half-open)."""
        if connection.heard:
            connection.heard = False
            self._asked = 0
        elif self._asked >= 2:
            self.shared.counters.peers_disconnected += 1
            self.shared.complain("silent", f"{self.peer} does not answer: disconnected")
            connection.abort()
            return
        connection.send(PING)
        self._asked += 1
        self._alive = asyncio.get_running_loop().call_later(
            self.shared.limits.keepalive, self._watch_over, connection
        )

    async def close(self, patience: float) -> None:
        """Let what is queued leave, for at most so long, and close."""
        deadline = asyncio.get_running_loop().time() + patience
        while (
            self._connection is not None
            and (self.queue or self._connection.transport.get_write_buffer_size())
            and asyncio.get_running_loop().time() < deadline
        ):
            await asyncio.sleep(0.01)
        for timer in (self._check, self._alive):
            if timer is not None:
                timer.cancel()
        if self._dialing is not None:
            self._dialing.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
