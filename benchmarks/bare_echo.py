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


async def play(payload: int, rounds: int) -> float:
    """The seconds that it took."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.bare_echo",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stdin is not None
    port = int(await process.stdout.readline())
    loop = asyncio.get_running_loop()
    _, player = await loop.create_connection(
        lambda: Player(b"x" * payload, rounds), "127.0.0.1", port
    )
    seconds = await player.seconds
    process.stdin.close()
    await process.wait()
    return seconds


async def played(payload: int, rounds: int) -> float:
    """The same from a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.bare_echo",
        str(payload),
        str(rounds),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
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
