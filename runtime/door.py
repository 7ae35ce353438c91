"""Connections that somebody makes to a node: a peer's rows, or a host.

Nothing is taken on trust: who it is comes first, sizes are limited, rows must
be in the name of who sends them, and whatever makes no sense closes the
connection, is counted and told, and harms nobody else.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from bloomish.runtime import tls
from bloomish.runtime.connections import Shared
from bloomish.runtime.framing import PROTOCOL, Framed, Kind, Malformed, pack, unpack

ROWS_MARK = b"\x93\x01"
"""How a frame of rows starts: an array of three, kind 1."""
TAKEN_EVERY_FRAMES = 64
TAKEN_EVERY_BYTES = 1 << 18


@dataclass
class Taken:
    """How far we have taken a sender's frames."""

    incarnation: int
    position: int = 0
    connection: Inbound | None = None


@dataclass
class Door:
    """What a node's inbound connections have in common."""

    shared: Shared
    taken: dict[str, Taken] = field(default_factory=dict)
    """How far each peer's frames have been taken, whatever becomes of connections."""
    connections: set[Inbound] = field(default_factory=set)


class Inbound(Framed):
    """A connection that somebody made to us: a peer's rows, or a host."""

    def __init__(self, door: Door) -> None:
        super().__init__()
        self.door = door
        self.shared = door.shared
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
        self.door.connections.add(self)
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
                f"it says it is {claimed} and has a certificate for {tls.some(self._certified())}"
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
        taken = self.door.taken.get(peer)
        if taken is None or taken.incarnation != incarnation:
            taken = self.door.taken[peer] = Taken(incarnation)
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

    # -- writing

    def send(self, body: bytes) -> None:
        """Write one frame.  What a peer is not told, since the connection has failed, it asks when
        it dials again; and a host knows that it lost us."""
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
        self.door.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._taken is not None and self._taken.connection is self:
            self._taken.connection = None
        if self.is_host:
            self.shared.receiver.host_left(self)
