"""etcd, three members on this machine, and closed-loop clients at its leader over gRPC.

The clients are as light as Python allows, so that what is measured is etcd: one connection, a
stream per call as gRPC has it, headers that are packed once, answers taken apart no further than
needed (HTTP/2: RFC 9113; HPACK: RFC 7541; gRPC over it: its PROTOCOL-HTTP2.md).
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

MEMBERS = 3
PUT, RANGE = "/etcdserverpb.KV/Put", "/etcdserverpb.KV/Range"
STATUS = "/etcdserverpb.Maintenance/Status"
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_HEAD = struct.Struct(">BHBBI")  # a length of 24 bits, kind, flags, stream


def there() -> bool:
    """Whether etcd is installed."""
    return shutil.which("etcd") is not None


def version() -> str:
    """As it says itself."""
    done = subprocess.run(["etcd", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0].removeprefix("etcd Version: ")


# ------------------------------------------------------------------ protocol buffers


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def text(number: int, value: bytes) -> bytes:
    """A field of bytes."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def numbers(message: bytes) -> dict[int, int | bytes]:
    """The fields of a message that has no fields of fixed size."""
    found: dict[int, int | bytes] = {}
    place = 0

    def take() -> int:
        nonlocal place
        number = shift = 0
        while True:
            byte = message[place]
            place += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while place < len(message):
        tag = take()
        value: int | bytes = take()
        if tag & 7 == 2:
            value, place = message[place : place + int(value)], place + int(value)
        found[tag >> 3] = value
    return found


def put(key: bytes, value: bytes) -> bytes:
    return text(1, key) + text(2, value)


def get(key: bytes) -> bytes:
    """A range of one key; linearizable, as etcd's ranges are if nothing else is said."""
    return text(1, key)


# ----------------------------------------------------------------------------- gRPC


def _frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    return _HEAD.pack(len(body) >> 16, len(body) & 0xFFFF, kind, flags, stream) + body


def _header(name: bytes, value: bytes) -> bytes:
    """A literal field without indexing; a name of one byte is a place in HPACK's static table."""
    start = name if len(name) <= 2 else b"\0" + bytes([len(name)]) + name
    return start + bytes([len(value)]) + value


def _block(path: bytes, authority: bytes) -> bytes:
    return (
        b"\x83\x86"  # :method POST, :scheme http
        + _header(b"\x04", path)
        + _header(b"\x01", authority)
        + _header(b"\x0f\x10", b"application/grpc")
        + b"\0\x02te\x08trailers"
    )


Answered = Callable[[bytes | None], None]
"""What is done with an answer's message; None where the call failed."""


class Channel(asyncio.Protocol):
    """One connection; every call is a stream of its own."""

    def __init__(self, authority: str) -> None:
        self._authority = authority.encode()
        self._blocks: dict[str, bytes] = {}
        self._stream = 1
        self._calls: dict[int, Answered] = {}
        self._messages: dict[int, bytes] = {}
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        wide = struct.pack(">HIHI", 2, 0, 4, (1 << 31) - 1)  # no pushes; windows wide open
        transport.write(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + _frame(_SETTINGS, 0, 0, wide)
            + _frame(_WINDOW, 0, 0, struct.pack(">I", (1 << 31) - (1 << 17)))
        )

    def call(self, path: str, message: bytes, answered: Answered) -> None:
        """One request, one answer."""
        block = self._blocks.get(path)
        if block is None:
            block = self._blocks[path] = _block(path.encode(), self._authority)
        stream = self._stream
        self._stream += 2
        self._calls[stream] = answered
        self._transport.write(
            _frame(_HEADERS, _END_HEADERS, stream, block)
            + _frame(_DATA, _END_STREAM, stream, struct.pack(">BI", 0, len(message)) + message)
        )

    async def ask(self, path: str, message: bytes) -> bytes:
        """The answer to one request."""
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        # Who has waited too long has gone; the answer may still come.
        self.call(path, message, lambda one: None if future.done() else future.set_result(one))
        answer = await future
        if answer is None:
            raise ConnectionError(f"{path} was refused, or etcd is gone")
        return answer

    def connection_lost(self, fault: Exception | None) -> None:
        """Whoever still waits is told that no answer comes."""
        calls, self._calls = self._calls, {}
        for answered in calls.values():
            answered(None)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        place, size = 0, len(data)
        while size - place >= 9:
            high, low, kind, flags, stream = _HEAD.unpack_from(data, place)
            end = place + 9 + (high << 16 | low)
            if end > size:
                break
            self._frame_received(kind, flags, stream, data[place + 9 : end])
            place = end
        self._rest = data[place:]

    def _frame_received(self, kind: int, flags: int, stream: int, body: bytes) -> None:
        if kind == _DATA:
            self._messages[stream] = self._messages.get(stream, b"") + body
        elif kind in (_SETTINGS, _PING) and not flags & _ACK:
            self._transport.write(_frame(kind, _ACK, 0, body if kind == _PING else b""))
        elif kind == _GOAWAY:
            raise ConnectionError(f"the server goes away: {body[8:]!r}")
        if kind == _RST or (flags & _END_STREAM and kind in (_DATA, _HEADERS)):
            # An answer that failed has trailers and no message.
            message = self._messages.pop(stream, None)
            self._calls.pop(stream)(message[5:] if message is not None else None)

    def close(self) -> None:
        self._transport.abort()


# -------------------------------------------------------------------------- members


@asynccontextmanager
async def leader(folder: Path, members: int = MEMBERS) -> AsyncIterator[Channel]:
    """Members with their data in a folder; a channel to the one that leads.

    Each is a session of its own, as our nodes are: Linux shares a busy machine out by sessions.
    """
    ports = _free_ports(2 * members)
    peers = ",".join(f"m{n}=http://127.0.0.1:{ports[n]}" for n in range(members))
    processes = []
    try:
        for n in range(members):
            clients = f"http://127.0.0.1:{ports[members + n]}"
            peer = f"http://127.0.0.1:{ports[n]}"
            command = [
                "etcd", "--name", f"m{n}", "--data-dir", str(folder / f"m{n}"),
                "--listen-client-urls", clients, "--advertise-client-urls", clients,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", peers, "--logger", "zap", "--log-level", "fatal",
            ]  # fmt: skip
            nowhere = subprocess.DEVNULL
            processes.append(
                subprocess.Popen(command, stdout=nowhere, stderr=nowhere, start_new_session=True)
            )
        channel = await _find(ports[members:])
        yield channel
        channel.close()
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


async def _find(ports: list[int], patience: float = 30.0) -> Channel:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while loop.time() < deadline:
        for port in ports:
            try:
                _, channel = await loop.create_connection(
                    lambda port=port: Channel(f"127.0.0.1:{port}"),  # type: ignore[misc]
                    "127.0.0.1",
                    port,
                )
                async with asyncio.timeout(2):
                    status = numbers(await channel.ask(STATUS, b""))
            except (OSError, TimeoutError):
                continue
            me = numbers(bytes(status[1]))[2]
            if status.get(4) == me:
                return channel
            channel.close()
        await asyncio.sleep(0.1)
    raise TimeoutError("etcd has no leader")


# ---------------------------------------------------------------------- closed loops


@dataclass
class Played:
    """What closed-loop clients have got."""

    operations: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.operations / self.seconds

    def latency(self, share: float) -> float:
        """In milliseconds."""
        return sorted(self.latencies)[int(len(self.latencies) * share)] * 1000


async def played(
    channel: Channel, clients: int, seconds: float, words: list[tuple[str, str]]
) -> Played:
    """So many clients for so long, each with one call under way, puts and gets in turn."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    result = Played()
    going = clients
    clock = time.perf_counter
    pairs = [(put(key.encode(), value.encode()), get(key.encode())) for key, value in words]
    started = clock()

    def start(client: int, number: int) -> None:
        begun = clock()
        write, read = pairs[(number + 7 * client) % len(pairs)]

        def answered(message: bytes | None) -> None:
            nonlocal going
            now = clock()
            if over.done():  # another call failed, or nobody waits any more
                return
            if message is None:
                over.set_exception(ConnectionError("etcd refused a call, or is gone"))
                return
            result.operations += 1
            result.latencies.append(now - begun)
            if now - started < seconds:
                start(client, number + 1)
                return
            going -= 1
            if not going:
                result.seconds = now - started
                over.set_result(None)

        if number % 2:
            channel.call(RANGE, read, answered)
        else:
            channel.call(PUT, write, answered)

    for client in range(clients):
        start(client, client)
    await over
    return result
