"""The peer of consensus: a bare asyncio.Protocol that echoes to many clients, nothing replicated.

    python -m benchmarks.bare_clients

is the process that echoes; `answered` plays the clients, each with a connection of its own and one
16-byte command outstanding.
"""

from __future__ import annotations

import asyncio
import sys
import time

from benchmarks.bare_echo import other

COMMAND = b"k" * 8 + b"v" * 8


class Client(asyncio.Protocol):
    """Sends its next command when the last is answered."""

    answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(COMMAND)

    def data_received(self, data: bytes) -> None:
        self.answers += 1
        self.transport.write(data)


async def answered(clients: int, seconds: float) -> float:
    """Answers per second."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.bare_clients",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stdin is not None
    port = int(await process.stdout.readline())
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(Client, "127.0.0.1", port) for _ in range(clients)]
    started, before = time.perf_counter(), sum(client.answers for _, client in made)
    await asyncio.sleep(seconds)
    answers = sum(client.answers for _, client in made) - before
    rate = answers / (time.perf_counter() - started)
    for transport, _ in made:
        transport.abort()
    process.stdin.close()
    await process.wait()
    return rate


if __name__ == "__main__":
    asyncio.run(other())
