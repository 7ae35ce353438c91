"""The peer of consensus: a bare asyncio.Protocol that echoes to many clients, nothing replicated.

The clients have a connection each, with one 16-byte command outstanding.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks.bare_echo import echoing

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
    loop = asyncio.get_running_loop()
    async with echoing() as port:
        made = [await loop.create_connection(Client, "127.0.0.1", port) for _ in range(clients)]
        started, before = time.perf_counter(), sum(client.answers for _, client in made)
        await asyncio.sleep(seconds)
        answers = sum(client.answers for _, client in made) - before
        rate = answers / (time.perf_counter() - started)
        for transport, _ in made:
            transport.abort()
    return rate
