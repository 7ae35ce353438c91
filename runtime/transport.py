"""Rows between nodes: one listener, and one outgoing link per peer.

A link carries rows one way; the peer dials its own for the other.  Frames are
numbered per link.  When a connection is made, the listener says up to which
number it has taken frames of this incarnation of the sender, and the sender
goes on from there: what was under way when a connection broke is sent again,
not lost, and not delivered twice either while both processes live.  Nothing in
a program may rely on that (channels may lose and duplicate), but nothing is
lost silently.

Queues are bounded and counted.  `Transport.pressed` says that a live peer's
queue stands above the high mark: then the node holds back its hosts' inserts.
Ticks go on, and so do the other peers.  A live peer that takes nothing for
`stall` seconds while its queue is above the mark is disconnected and its queue
dropped and counted; of a peer that cannot be reached at all, the oldest rows
above the mark are.
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from bloomish.runtime import tls
from bloomish.runtime.counters import Complaints, Counters
from bloomish.runtime.directory import Directory, UnknownNode
from bloomish.runtime.framing import (
    LENGTH,
    PROTOCOL,
    Framed,
    Kind,
    Malformed,
    count_rows,
    pack,
    unpack,
)

ROWS_MARK = b"\x93\x01"
"""How a frame of rows starts: an array of three, kind 1."""
BACKLOG = 256
TAKEN_EVERY_FRAMES = 64
TAKEN_EVERY_BYTES = 1 << 18


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    high_mark: int = 64 << 20
    """A peer's queue above this presses: inserts wait."""
    stall: float = 10.0
    """A live peer above the mark that takes nothing for so long is disconnected."""
    handshake: float = 10.0
    """A connection that has not said who it is by then is closed."""
    keepalive: float = 10.0
    """A silent connection is asked after so long; closed after three times as long."""
    backoff_first: float = 0.05
    backoff_last: float = 2.0
    reader: int = 32 << 20
    """A host that lets more than this wait, beyond what it watched first, is disconnected."""


class Receiver(Protocol):
    """What the transport tells its node."""

    def rows_arrived(self, sender: str, incarnation: int, number: int, body: bytes) -> None:
        """A frame of rows, its length and its sender checked, its content not."""

    def batch_arrived(self) -> None:
        """All frames of one read have been handed over."""

    def peer_reached(self, peer: str) -> None:
        """A link stands (again): standing sends may go out now."""

    def pressure_changed(self) -> None:
        """`pressed` is another now."""

    def host_joined(self, host: Inbound) -> dict[str, Any]:
        """A host said hello; the answer tells it what there is."""

    def host_asked(self, host: Inbound, message: tuple[Any, ...]) -> None:
        """A request of a host."""

    def host_left(self, host: Inbound) -> None:
        """A host's connection is gone."""


@dataclass
class Shared:
    """What all connections of a node have in common."""

    address: str
    incarnation: int
    directory: Directory
    receiver: Receiver
    counters: Counters
    complain: Complaints
    limits: Limits = field(default_factory=Limits)
    credentials: tls.Credentials | None = None
    lost: Callable[[str, int, int], None] = lambda peer, first, frames: None


# ------------------------------------------------------------ links to peers


class Outgoing(Framed):
    """One connection of a link."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link
        self.welcome: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()
        self.heard = False
        self.writable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        shared = self.link.shared
        if shared.credentials is not None:
            certified = tls.names(self.transport.get_extra_info("peercert"))
            if self.link.peer not in certified:
                self._refuse(
                    f"whoever listens there has a certificate for {_some(certified)}, not for it"
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
        if connection is not None and connection.writable and not self.queue:
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
        while connection is not None and connection.writable and connection.open and self.queue:
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
            connection: Outgoing | None = None
            try:
                async with asyncio.timeout(limits.handshake):
                    connection = await self._open()
                    incarnation, position = await connection.welcome
                break
            except (OSError, ssl.SSLError, UnknownNode, TimeoutError) as fault:
                if connection is not None:
                    connection.abort()
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

    async def _open(self) -> Outgoing:
        shared = self.shared
        host, port = shared.directory.find(self.peer)
        context = shared.credentials.client() if shared.credentials is not None else None
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Outgoing(self), host, port, ssl=context
        )
        return connection

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
        connection.send(_PING)
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


_PING = pack([Kind.PING])

# ----------------------------------------------------- connections to our door


@dataclass
class Taken:
    """How far we have taken a sender's frames."""

    incarnation: int
    position: int = 0
    connection: Inbound | None = None


class Inbound(Framed):
    """A connection that somebody made to us: a peer's rows, or a host."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self.node = transport
        self.shared = transport.shared
        self.peer = ""
        self.is_host = False
        self.who = "somebody"
        self._mark = b""
        self._taken: Taken | None = None
        self._frames = 0
        self._bytes = 0
        self._fresh = False
        self._heard = True
        self._timer: asyncio.TimerHandle | None = None
        self.owed = 0
        """Bytes that a reader may let wait (what it watched first)."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.node.connections.add(self)
        name = self.transport.get_extra_info("peername")
        self.who = f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "somebody"
        self._timer = asyncio.get_running_loop().call_later(
            self.shared.limits.handshake, self._too_late
        )

    def _too_late(self) -> None:
        self._reject(f"no hello within {self.shared.limits.handshake:g} s")

    def _reject(self, reason: str) -> None:
        """Refuse the connection, say so, count it."""
        if not self.open:
            return
        self.shared.counters.connections_refused += 1
        self.shared.complain("connection", f"connection of {self.who} refused: {reason}")
        self.send(pack([Kind.REFUSED, reason]))
        self.close()

    def stream_fault(self, reason: str) -> None:
        self.shared.counters.frames_refused += 1
        if not self.peer and not self.is_host:
            self._reject(reason)
            return
        self.shared.complain("stream", f"connection of {self.who} closed: {reason}")
        self.send(pack([Kind.REFUSED, reason]))
        self.close()

    # -- frames

    def frame_received(self, body: bytes) -> None:
        if self._mark and body.startswith(self._mark):
            self._rows(body)
            return
        try:
            message = unpack(body)
            self._heard = True
            if self.peer:
                self._from_peer(message, body)
            elif self.is_host:
                if message[0] != Kind.REQUEST:
                    raise Malformed(f"a message of kind {message[0]} does not belong here")
                self.shared.receiver.host_asked(self, message)
            else:
                self._hello(message)
        except (Malformed, LookupError, TypeError, ValueError) as fault:
            self.stream_fault(f"it does not speak our protocol: {fault}")

    def _rows(self, body: bytes) -> None:
        taken = self._taken
        assert taken is not None
        taken.position += 1
        self._heard = True
        self.shared.receiver.rows_arrived(self.peer, taken.incarnation, taken.position, body)
        self._fresh = True
        self._frames += 1
        self._bytes += len(body)
        if self._frames >= TAKEN_EVERY_FRAMES or self._bytes >= TAKEN_EVERY_BYTES:
            self._say_taken()

    def batch_done(self) -> None:
        if self._fresh:
            self._fresh = False
            self.shared.receiver.batch_arrived()

    def _say_taken(self) -> None:
        assert self._taken is not None
        self._frames = self._bytes = 0
        self.send(pack([Kind.TAKEN, self._taken.position]))

    def _from_peer(self, message: tuple[Any, ...], body: bytes) -> None:
        assert self._taken is not None
        kind = message[0]
        if kind == Kind.PING:
            self._say_taken()
        elif kind == Kind.START:
            missed = int(message[1]) - 1 - self._taken.position
            if missed > 0 and self._taken.position > 0:
                self.shared.counters.frames_missed += missed
            self._taken.position = int(message[1]) - 1
        elif kind == Kind.ROWS and len(message) == 3 and message[1] == self.peer:
            self._rows(body)  # well-formed, if not in the shortest encoding
        elif kind == Kind.ROWS and len(message) == 3:
            raise Malformed(f"rows of {self.peer} that say they are of {message[1]!r}")
        else:
            raise Malformed(f"a message of kind {kind} does not belong here")

    # -- who is it

    def _hello(self, message: tuple[Any, ...]) -> None:
        if message[0] != Kind.HELLO or len(message) != 2 or not isinstance(message[1], dict):
            raise Malformed("it does not say hello")
        hello = message[1]
        shared = self.shared
        claimed = str(hello["from"])
        if hello["protocol"] != PROTOCOL:
            self._reject(f"it speaks version {hello['protocol']} of the protocol, we {PROTOCOL}")
        elif hello["to"] not in ("", shared.address):
            self._reject(f"it looks for {hello['to']!r}, this is {shared.address}")
        elif hello["cluster"] != shared.directory.cluster and (claimed or hello["cluster"]):
            self._reject(f"it belongs to another cluster ({hello['cluster']!r})")
        elif claimed and claimed not in shared.directory.nodes:
            self._reject(f"no node {claimed!r} belongs to this cluster")
        elif claimed and shared.credentials is not None and claimed not in self._certified():
            self._reject(
                f"it says it is {claimed} and has a certificate for {_some(self._certified())}"
            )
        elif claimed:
            self._welcome_peer(claimed, int(hello["incarnation"]))
        else:
            self._welcome_host()

    def _certified(self) -> frozenset[str]:
        return tls.names(self.transport.get_extra_info("peercert"))

    def _welcome(self, **more: object) -> None:
        shared = self.shared
        if self._timer is not None:
            self._timer.cancel()
        self.allow()
        message = {
            "protocol": PROTOCOL,
            "cluster": shared.directory.cluster,
            "node": shared.address,
            "incarnation": shared.incarnation,
        }
        self.send(pack([Kind.WELCOME, message | more]))

    def _welcome_peer(self, peer: str, incarnation: int) -> None:
        taken = self.node.taken.get(peer)
        if taken is None or taken.incarnation != incarnation:
            taken = self.node.taken[peer] = Taken(incarnation)
        elif taken.connection is not None:
            # The sender has given that connection up; what is still in it comes again.
            taken.connection.abort()
        taken.connection = self
        self._taken = taken
        self.peer = self.who = peer
        self._mark = ROWS_MARK + pack(peer)
        self._welcome(position=taken.position)
        self._timer = asyncio.get_running_loop().call_later(
            3 * self.shared.limits.keepalive, self._silent
        )

    def _silent(self) -> None:
        """The peer's pings have stopped coming: its end of the connection is gone."""
        if not self._heard:
            self.shared.counters.peers_disconnected += 1
            self.shared.complain("silent", f"connection of {self.who} is dead: closed")
            self.abort()
            return
        self._heard = False
        self._timer = asyncio.get_running_loop().call_later(
            3 * self.shared.limits.keepalive, self._silent
        )

    def _welcome_host(self) -> None:
        self.is_host = True
        self.who = f"host {self.who}"
        self._welcome(position=0, **self.shared.receiver.host_joined(self))

    # -- writing to a host

    def send(self, body: bytes) -> None:
        super().send(body)
        if self.is_host and self.open:
            waiting = self.transport.get_write_buffer_size()
            if waiting > self.shared.limits.reader + self.owed:
                self._too_slow(waiting)
            elif waiting <= self.shared.limits.reader:
                self.owed = 0

    def _too_slow(self, waiting: int) -> None:
        self.shared.counters.readers_disconnected += 1
        self.shared.complain("reader", f"{self.who} does not keep up: disconnected")
        super().send(
            pack([Kind.REFUSED, f"you do not keep up: {waiting:,} bytes were waiting for you"])
        )
        self.close()
        # It gets what was sent, if it reads it; the memory is not held for ever.
        self._timer = asyncio.get_running_loop().call_later(
            3 * self.shared.limits.keepalive, self.abort
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self.node.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._taken is not None and self._taken.connection is self:
            self._taken.connection = None
        if self.is_host:
            self.shared.receiver.host_left(self)


def _some(certified: frozenset[str]) -> str:
    return ", ".join(sorted(certified)) or "nobody"


class Transport:
    """A node's door and its links."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.links: dict[str, Link] = {}
        self.taken: dict[str, Taken] = {}
        self.connections: set[Inbound] = set()
        self._server: asyncio.Server | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._handshakes: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int = 0) -> tuple[str, int]:
        """Open the door; the place that it has got."""
        loop = asyncio.get_running_loop()
        if self.shared.credentials is None:
            self._server = await loop.create_server(
                lambda: Inbound(self), host, port, backlog=BACKLOG
            )
            name = self._server.sockets[0].getsockname()
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            door = socket.create_server((host, port), family=family, backlog=BACKLOG)
            door.setblocking(False)
            context = self.shared.credentials.server()
            self._accepting = loop.create_task(self._accept(door, context))
            name = door.getsockname()
        return (str(name[0]), int(name[1]))

    async def _accept(self, door: socket.socket, context: ssl.SSLContext) -> None:
        """asyncio's server drops a failed TLS handshake without a word; this one counts it."""
        loop = asyncio.get_running_loop()
        with door:
            while True:
                connection, name = await loop.sock_accept(door)
                task = loop.create_task(self._handshake(connection, str(name), context))
                self._handshakes.add(task)
                task.add_done_callback(self._handshakes.discard)

    async def _handshake(
        self, connection: socket.socket, who: str, context: ssl.SSLContext
    ) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Inbound(self),
                connection,
                ssl=context,
                ssl_handshake_timeout=self.shared.limits.handshake,
            )
        except OSError as fault:
            self.shared.counters.connections_refused += 1
            self.shared.complain("tls", f"connection of {who} refused: {fault}")
            connection.close()

    def link(self, peer: str) -> Link:
        """The way to a peer, from the first frame for it on."""
        return self.links.setdefault(peer, Link(self.shared, peer))

    @property
    def pressed(self) -> bool:
        """Some live peer's queue stands above the high mark."""
        return any(link.pressed for link in self.links.values())

    async def close(self, patience: float = 1.0) -> None:
        """Close the door, let the queues leave for a moment, close everything."""
        if self._server is not None:
            self._server.close()
        for task in (self._accepting, *self._handshakes):
            if task is not None:
                task.cancel()
        await asyncio.gather(*(link.close(patience) for link in self.links.values()))
        for connection in tuple(self.connections):
            connection.close()
