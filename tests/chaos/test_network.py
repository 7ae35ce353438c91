"""The proxy between nodes: what is cut is silent, and goes on where it was when it heals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bloomish.runtime.chaos.network import Network
from bloomish.runtime.directory import Directory
from bloomish.runtime.sim.schedule import LinkFault
from tests.runtime.nodes.support import going

SILENCE = 0.1
"""So long nothing must come."""


class Host:
    """Where node `b` is: hears and says bytes, on connections that `a` makes."""

    def __init__(self) -> None:
        self.connections: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
            asyncio.Queue()
        )

    async def joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.put_nowait((reader, writer))


@asynccontextmanager
async def between() -> AsyncIterator[tuple[Network, Host, str, int, asyncio.Server]]:
    """A network with node b behind it, and where a finds b."""
    host = Host()
    server = await asyncio.start_server(host.joined, "127.0.0.1", 0)
    async with Network(["a", "b"]) as network:
        place = server.sockets[0].getsockname()[:2]
        seen = network.seen("a", Directory("c", {"a": ("127.0.0.1", 1), "b": place}))
        assert seen.nodes["a"] == ("127.0.0.1", 1)
        assert seen.nodes["b"] != place
        try:
            yield network, host, *seen.nodes["b"], server
        finally:
            server.close()


def cut(kind: str = "partition", left: str = "a", right: str = "b") -> LinkFault:
    return LinkFault(kind, (left,), (right,), 0, 0)  # type: ignore[arg-type]


async def silent(reader: asyncio.StreamReader) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(100), SILENCE)


@going
async def test_bytes_pass_both_ways() -> None:
    async with between() as (_, host, name, port, _):
        reader, writer = await asyncio.open_connection(name, port)
        far_reader, far_writer = await host.connections.get()
        payload = b"x" * 5_000_000  # more than all buffers together
        writer.write(payload)
        assert await far_reader.readexactly(len(payload)) == payload
        far_writer.write(payload)
        assert await reader.readexactly(len(payload)) == payload
        writer.close()
        assert await far_reader.read() == b""


@going
async def test_a_partition_holds_what_is_under_way_and_lets_it_go_on() -> None:
    async with between() as (network, host, name, port, _):
        reader, writer = await asyncio.open_connection(name, port)
        far_reader, far_writer = await host.connections.get()
        fault = cut()
        network.cut(fault)
        writer.write(b"one")
        far_writer.write(b"two")
        await silent(far_reader)
        await silent(reader)
        network.heal(fault)
        assert await far_reader.readexactly(3) == b"one"
        assert await reader.readexactly(3) == b"two"


@going
async def test_one_way() -> None:
    async with between() as (network, host, name, port, _):
        reader, writer = await asyncio.open_connection(name, port)
        far_reader, far_writer = await host.connections.get()
        fault = cut("oneway")
        network.cut(fault)
        writer.write(b"one")
        far_writer.write(b"two")
        assert await reader.readexactly(3) == b"two"
        await silent(far_reader)
        network.heal(fault)
        assert await far_reader.readexactly(3) == b"one"


@going
async def test_two_cuts_hold_until_both_are_over() -> None:
    async with between() as (network, host, name, port, _):
        reader, writer = await asyncio.open_connection(name, port)
        far_reader, far_writer = await host.connections.get()
        first, second = cut(), cut("oneway")
        network.cut(first)
        network.cut(second)
        writer.write(b"one")
        network.heal(first)
        await silent(far_reader)
        network.heal(second)
        assert await far_reader.readexactly(3) == b"one"


@going
async def test_who_dials_into_a_cut_waits() -> None:
    async with between() as (network, host, name, port, _):
        fault = cut("oneway", "b", "a")  # an answer could not come back
        network.cut(fault)
        reader, writer = await asyncio.open_connection(name, port)
        writer.write(b"one")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(host.connections.get(), SILENCE)
        network.heal(fault)
        far_reader, far_writer = await host.connections.get()
        assert await far_reader.readexactly(3) == b"one"


@going
async def test_nobody_hears_of_an_end_across_a_cut() -> None:
    async with between() as (network, host, name, port, _):
        reader, writer = await asyncio.open_connection(name, port)
        far_reader, far_writer = await host.connections.get()
        fault = cut()
        network.cut(fault)
        far_writer.transport.abort()
        await silent(reader)
        network.heal(fault)
        assert await reader.read() == b""
        writer.close()
        assert await far_reader.read() == b""


@going
async def test_where_nobody_listens_the_connection_ends() -> None:
    async with between() as (_, _, name, port, server):
        server.close()
        await server.wait_closed()
        reader, writer = await asyncio.open_connection(name, port)
        try:
            assert await reader.read() == b""
        except ConnectionResetError:
            return
