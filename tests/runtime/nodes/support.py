"""Help for tests of nodes: async tests, waiting, and peers that misbehave."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from bloomish.runtime.cluster import RunningCluster
from bloomish.runtime.framing import LENGTH, PROTOCOL, Kind, framed, pack, unpack

HERE = Path(__file__).parent
WEATHER = str(HERE / "weather.py")
PATIENCE = 60.0


def spelt(value: object) -> str:
    """A value with its types.  The repr of a set tells how its hash table came about, too."""
    if isinstance(value, tuple):
        return f"({', '.join(map(spelt, value))})"
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(map(spelt, value)))}}}"
    return repr(value)


def going(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """An async test: run it, within PATIENCE."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def limited() -> None:
            async with asyncio.timeout(PATIENCE):
                await test(*args, **kwargs)

        asyncio.run(limited())

    return run


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a check passes; PATIENCE bounds it."""
    while not await check():
        await asyncio.sleep(0.02)


async def counter(cluster: RunningCluster, node: str, name: str) -> int:
    """A counter of a node now."""
    status = await cluster.status_of(node, PATIENCE)
    assert status is not None
    return int(status["counters"][name])


async def counted(cluster: RunningCluster, node: str, name: str, at_least: int = 1) -> None:
    """Wait until a node has counted so many."""

    async def there() -> bool:
        return await counter(cluster, node, name) >= at_least

    await until(there)


class Peer:
    """A connection to a node, made by hand, that can do everything wrong."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @staticmethod
    async def to(cluster: RunningCluster, node: str) -> Peer:
        """Connect; nothing is said yet."""
        host, port = cluster.directory.find(node)
        return Peer(*await asyncio.open_connection(host, port))

    @staticmethod
    async def as_node(cluster: RunningCluster, me: str, node: str, incarnation: int = 99) -> Peer:
        """Connect and say hello as a node of the cluster."""
        peer = await Peer.to(cluster, node)
        peer.say(
            Kind.HELLO,
            {
                "protocol": PROTOCOL,
                "cluster": cluster.directory.cluster,
                "from": me,
                "to": node,
                "incarnation": incarnation,
            },
        )
        welcome = await peer.hear()
        assert welcome[0] == Kind.WELCOME, welcome
        peer.say(Kind.START, 1)
        return peer

    def write(self, data: bytes) -> None:
        """Bytes as they are."""
        self.writer.write(data)

    def say(self, *message: object) -> None:
        """A message."""
        self.write(framed(pack(message)))

    def rows(self, me: str, **channels: list[list[object]]) -> None:
        """A frame of rows for the channels of Post."""
        self.say(Kind.ROWS, me, {f"Post.{name}": rows for name, rows in channels.items()})

    async def hear(self) -> tuple[Any, ...]:
        """The next message."""
        (size,) = LENGTH.unpack(await self.reader.readexactly(4))
        return unpack(await self.reader.readexactly(size))

    async def closed(self) -> None:
        """Wait until the node has closed the connection."""
        try:
            while await self.reader.read(1 << 16):
                pass
        except ConnectionError:
            return

    def close(self) -> None:
        """Hang up."""
        self.writer.close()
