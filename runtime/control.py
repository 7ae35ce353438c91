"""What a supervisor and a node's process say to each other: JSON lines on a socket pair.

Down: the node's orders, the directory, a request to stop.  Up: where the door
is, that the first tick is done, why the node stops.  The end of the stream is
the death of the other side; a node does not outlive its supervisor.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from typing import Any

LINE_MAXIMUM = 1 << 26


@dataclass(frozen=True)
class Orders:
    """All that a node's process needs to know."""

    address: str
    role: str
    target: str
    cluster: str
    rosters: dict[str, list[str]] = field(default_factory=dict)
    evaluator: str = "auto"
    seed: int = 0
    incarnation: int = 1
    host: str = "127.0.0.1"
    port: int = 0
    trace: str | None = None
    data: str | None = None
    tls: str | None = None
    limits: dict[str, float] = field(default_factory=dict)
    resend: tuple[float, float] | None = None
    program: str | None = None
    """The role's program as data, where making it of the target again would take long."""

    def as_dict(self) -> dict[str, Any]:
        """To be sent."""
        return asdict(self)


class Control:
    """One end of the socket pair."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @staticmethod
    async def over(end: socket.socket) -> Control:
        """The end of a pair that is ours."""
        reader, writer = await asyncio.open_connection(sock=end, limit=LINE_MAXIMUM)
        return Control(reader, writer)

    def say(self, **message: object) -> None:
        """One message; a dead other side hears nothing."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def flush(self) -> None:
        """Wait until it has left."""
        try:
            await self._writer.drain()
        except ConnectionError:
            return  # the reader's end of stream tells

    async def hear(self) -> dict[str, Any] | None:
        """The next message; None when the other side is gone."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return None
        if not line.endswith(b"\n"):
            return None
        message = json.loads(line)
        assert isinstance(message, dict)
        return message

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        while (message := await self.hear()) is not None:
            yield message

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
