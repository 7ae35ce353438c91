"""The network between a cluster's processes, in our hands: a proxy for every pair of nodes.

    async with Network(nodes) as network, launch(target, seen=network.seen) as cluster:
        network.cut(fault)
        network.heal(fault)

Each node is told that the others are where our doors are, one door for each that dials and each
that is dialled, so a cut knows whose bytes it holds.  What is cut is silent, not closed: bytes wait
in the kernel as they do in a network that has stopped, nobody hears of a connection's end, and who
dials anew gets no answer.  When the cut heals, all goes on where it was, old messages included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType

from bloomish.runtime.directory import Directory, Place
from bloomish.runtime.sim.schedule import LinkFault

HOST = "127.0.0.1"


class Network:
    """See the module."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self._nodes = nodes
        self.directory = Directory()
        """Where the nodes are."""
        self.cuts: list[LinkFault] = []
        self._doors: dict[tuple[str, str], Place] = {}
        self._servers: list[asyncio.Server] = []
        self._passages: set[_Passage] = set()

    async def _open_door(self, sender: str, receiver: str) -> None:
        server = await asyncio.get_running_loop().create_server(
            lambda: _Passage(self, sender, receiver).near, HOST, 0
        )
        self._servers.append(server)
        name = server.sockets[0].getsockname()
        self._doors[sender, receiver] = (str(name[0]), int(name[1]))

    def seen(self, node: str, directory: Directory) -> Directory:
        """For `launch`: a node finds itself where it is, the others at our doors."""
        self.directory = directory
        places = {
            other: self._doors.get((node, other), place) for other, place in directory.nodes.items()
        }
        return Directory(directory.cluster, places)

    def passes(self, sender: str, receiver: str) -> bool:
        """Do bytes from the one reach the other now?"""
        return not any(fault.blocks(sender, receiver) for fault in self.cuts)

    def cut(self, fault: LinkFault) -> None:
        """From now on."""
        self.cuts.append(fault)
        self._changed()

    def heal(self, fault: LinkFault) -> None:
        """It is over; another cut may still hold."""
        self.cuts.remove(fault)
        self._changed()

    def _changed(self) -> None:
        for one in tuple(self._passages):
            one.changed()

    def joined(self, passage: _Passage) -> None:
        """A node has dialled."""
        self._passages.add(passage)

    def left(self, passage: _Passage) -> None:
        """Both ends of a connection are gone."""
        self._passages.discard(passage)

    async def close(self) -> None:
        """No more doors, and nothing behind them."""
        for server in self._servers:
            server.close()
        for one in tuple(self._passages):
            one.abort()

    async def __aenter__(self) -> Network:
        for sender in self._nodes:
            for receiver in self._nodes:
                if sender != receiver:
                    await self._open_door(sender, receiver)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class _End(asyncio.Protocol):
    """One of the two connections of a passage: what `source` writes is for `target`."""

    transport: asyncio.Transport

    def __init__(self, passage: _Passage, source: str, target: str) -> None:
        self.passage = passage
        self.source = source
        self.target = target
        self.made = False
        self.gone = False
        self.writable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.made = True
        transport.pause_reading()
        self.passage.changed()

    def data_received(self, data: bytes) -> None:
        beyond = self.passage.beyond(self).transport
        if not beyond.is_closing():  # else it is lost, as what is sent to a dead process is
            beyond.write(data)

    def pause_writing(self) -> None:
        self.writable = False
        self.passage.changed()

    def resume_writing(self) -> None:
        self.writable = True
        self.passage.changed()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.passage.changed()

    def flow(self, other: _End) -> None:
        """Read if what is read may go on; tell the other side of our end if that may."""
        passes = self.passage.network.passes(self.source, self.target)
        if self.made and not self.gone:
            reading = passes and other.made and not other.gone and other.writable
            if reading != self.transport.is_reading():
                (self.transport.resume_reading if reading else self.transport.pause_reading)()
        if self.gone and passes and other.made and not other.gone:
            other.transport.close()


class _Passage:
    """A connection through us: `near` is who dialled, `far` who is dialled."""

    def __init__(self, network: Network, sender: str, receiver: str) -> None:
        self.network = network
        self.near = _End(self, sender, receiver)
        self.far = _End(self, receiver, sender)
        self._dialling: asyncio.Task[None] | None = None
        network.joined(self)

    def beyond(self, end: _End) -> _End:
        """The other one."""
        return self.far if end is self.near else self.near

    def changed(self) -> None:
        """Something is cut, healed, made, gone, full or no longer full."""
        if self._dialling is None and self.near.made and not self.near.gone and self._both_ways():
            self._dialling = asyncio.get_running_loop().create_task(self._dial())
        self.near.flow(self.far)
        self.far.flow(self.near)
        over = self.far.gone or not (self.far.made or self._dials())
        if self.near.gone and over:
            self.network.left(self)

    def _both_ways(self) -> bool:
        """A connection is made by messages both ways."""
        ends = (self.near.source, self.near.target)
        return self.network.passes(*ends) and self.network.passes(*reversed(ends))

    def _dials(self) -> bool:
        return self._dialling is not None and not self._dialling.done()

    async def _dial(self) -> None:
        try:
            host, port = self.network.directory.find(self.near.target)
            await asyncio.get_running_loop().create_connection(lambda: self.far, host, port)
        except OSError:
            # Nobody listens there: who dialled finds that the connection ends.
            self.near.transport.abort()
        else:
            if self.near.gone:
                self.far.transport.abort()

    def abort(self) -> None:
        """Both ends, at once."""
        if self._dialling is not None:
            self._dialling.cancel()
        for end in (self.near, self.far):
            if end.made:
                end.transport.abort()
