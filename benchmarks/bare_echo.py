"""The peer of the echo: two processes that speak through bare asyncio.Protocols.

    python -m benchmarks.bare_echo PAYLOAD ROUNDS

starts the other process, plays ROUNDS rounds with PAYLOAD bytes and prints the seconds.
Each process has a session of its own, as our nodes have: Linux shares a busy machine out by
sessions (autogroup), and the comparison is to be fair there, too.
"""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Echo(asyncio.Protocol):
    """Sends back what comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Player(asyncio.Protocol):
    """Serves, and returns until the last round."""

    def __init__(self, payload: bytes, rounds: int) -> None:
        self.payload = payload
        self.left = rounds
        self.seconds: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.started = time.perf_counter()
        transport.write(self.payload)

    def data_received(self, data: bytes) -> None:
        self.left -= 1
        if self.left:
            self.transport.write(data)
        else:
            self.seconds.set_result(time.perf_counter() - self.started)
            self.transport.close()


async def other() -> None:
    """The process that echoes; it ends with its standard input."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


@asynccontextmanager
async def _process(*arguments: str) -> AsyncIterator[Process]:
    """This module as a process that does not outlive the block."""
    command = [sys.executable, "-m", "benchmarks.bare_echo", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def echoing() -> AsyncIterator[int]:
    """The port at which another process echoes."""
    async with _process() as process:
        assert process.stdout is not None
        yield int(await process.stdout.readline())


async def play(payload: int, rounds: int) -> float:
    """The seconds that it took."""
    async with echoing() as port:
        _, player = await asyncio.get_running_loop().create_connection(
            lambda: Player(b"x" * payload, rounds), "127.0.0.1", port
        )
        return await player.seconds


async def played(payload: int, rounds: int) -> float:
    """The same from a process of its own."""
    async with _process(str(payload), str(rounds)) as process:
        out, _ = await process.communicate()
        return float(out)


def main() -> None:
    """See the module."""
    if len(sys.argv) == 1:
        asyncio.run(other())
    else:
        print(asyncio.run(play(int(sys.argv[1]), int(sys.argv[2]))))


if __name__ == "__main__":
    main()
