"""A node's transport: one door, and one link per peer that it sends to."""

from __future__ import annotations

import asyncio
import socket
import ssl

from bloomish.runtime.connections import Shared
from bloomish.runtime.door import Door, Inbound
from bloomish.runtime.link import Link

BACKLOG = 256


class Transport:
    """A node's door and its links."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.links: dict[str, Link] = {}
        self.door = Door(shared)
        self._server: asyncio.Server | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._handshakes: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int = 0) -> tuple[str, int]:
        """Open the door; the place that it has got."""
        loop = asyncio.get_running_loop()
        if self.shared.credentials is None:
            self._server = await loop.create_server(
                lambda: Inbound(self.door), host, port, backlog=BACKLOG
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
                lambda: Inbound(self.door),
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
        for connection in tuple(self.door.connections):
            connection.close()
