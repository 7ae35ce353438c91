"""Links over connections that break: what was under way comes again, and only once."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bloomish.program import compile
from bloomish.runtime.connections import Limits
from bloomish.runtime.directory import Directory
from bloomish.runtime.evaluators import make_evaluator
from bloomish.runtime.framing import Framed, Kind, pack
from bloomish.runtime.host import NodeGone, connect
from bloomish.runtime.link import Outgoing
from bloomish.runtime.node import Node, Settings
from bloomish.runtime.tls import Credentials
from bloomish.values import Values
from tests.runtime.nodes.certificates import write_certificates
from tests.runtime.nodes.support import going, until
from tests.runtime.nodes.weather import Receiver, Sender

pytestmark = pytest.mark.usefixtures("quiet_log")


def node(
    program: type, address: str, directory: Directory, limits: Limits, tls: Path | None = None
) -> Node:
    """A node in this process."""
    compiled = compile(program)
    return Node(
        compiled.program,
        make_evaluator(compiled.program, compiled.externals, node=address),
        directory,
        values=Values(compiled.program.lattices, compiled.externals.lattices),
        settings=Settings(limits=limits),
        credentials=Credentials.of(tls, address) if tls is not None else None,
    )


class Breaker:
    """A way between two nodes that breaks every connection after some bytes."""

    def __init__(self, port: int, chance: random.Random) -> None:
        self._port = port
        self._chance = chance
        self._server: asyncio.Server | None = None
        self.broken = 0
        self.whole = False

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        budget = self._chance.randrange(100, 20_000)
        await asyncio.gather(self._pump(reader, back, budget), self._pump(there, writer, 1 << 40))
        self.broken += 1

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, budget: int
    ) -> None:
        try:
            while data := await reader.read(4096):
                if not self.whole and len(data) > budget:
                    writer.write(data[:budget])
                    break
                budget -= len(data)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()


@going
async def test_whatever_breaks_each_row_arrives_once() -> None:
    limits = Limits(backoff_first=0.005, backoff_last=0.02)
    behind, ahead = Directory("c"), Directory("c")
    receiver = node(Receiver, "receiver-0", behind, limits)
    sender = node(Sender, "sender-0", ahead, limits)
    place = await receiver.open()
    behind.nodes |= {"receiver-0": place, "sender-0": await sender.open()}
    breaker = Breaker(place[1], random.Random(7))
    ahead.nodes |= {"sender-0": behind.nodes["sender-0"]}
    ahead.nodes |= {"receiver-0": ("127.0.0.1", await breaker.open())}
    receiver.begin()
    sender.begin()
    sent = 0
    while breaker.broken < 10:
        sender.evaluator.insert("say", [("receiver-0", sent, "x" * (sent % 997))])
        sender.wake()
        sent += 1
        await asyncio.sleep(0.0005)
    breaker.whole = True

    async def all_there() -> bool:
        return receiver.counters.rows_in >= sent

    await until(all_there)
    assert receiver.counters.rows_in == sent
    assert len(receiver.evaluator.contents("kept")) == sent
    assert (sender.counters.rows_lost, receiver.counters.frames_missed) == (0, 0)
    assert sender.counters.connections_lost == sender.counters.connections_made - 1
    breaker.close()
    await sender.close()
    await receiver.close()


# ----------------------------------------------- connections that have failed, and nobody knows

BURST = 20
"""Writes in one turn of the loop: asyncio grumbles at the sixth of those that cannot leave."""


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    """A folder of certificates, or none."""
    if request.param == "plain":
        return None
    write_certificates(tmp_path, "sender-0", "receiver-0", "host")
    return tmp_path


async def pair(tls: Path | None, backoff: float = 0.05) -> tuple[Node, Node]:
    """A sender and a receiver that know each other."""
    directory = Directory("c")
    limits = Limits(backoff_first=backoff)
    sender = node(Sender, "sender-0", directory, limits, tls)
    receiver = node(Receiver, "receiver-0", directory, limits, tls)
    for each in (sender, receiver):
        directory.nodes[each.address] = await each.open()
        each.begin()
    return sender, receiver


def note(number: int) -> bytes:
    return pack([Kind.ROWS, "sender-0", {"Post.note": [["receiver-0", "sender-0", number, "x"]]}])


def cut_off(connection: Framed) -> None:
    """From the next write on, this end of a connection fails."""
    connection.transport.get_extra_info("socket").shutdown(socket.SHUT_WR)


async def closed_in_silence(sender: Node, receiver: Node, caplog: pytest.LogCaptureFixture) -> None:
    """Close both; asyncio has had nothing to grumble at."""
    await sender.close()
    await receiver.close()
    assert [one.message for one in caplog.records if one.name == "asyncio"] == []


def rows_of(receiver: Node, wanted: int) -> Callable[[], Any]:
    async def there() -> bool:
        return receiver.counters.rows_in >= wanted

    return there


@going
async def test_what_is_sent_in_the_turn_in_which_a_connection_fails_waits_for_the_next_one(
    tls: Path | None, caplog: pytest.LogCaptureFixture
) -> None:
    sender, receiver = await pair(tls, backoff=0.01)
    link = sender.transport.link("receiver-0")
    link.send(note(0))
    await until(rows_of(receiver, 1))
    assert link._connection is not None
    cut_off(link._connection)
    for number in range(1, BURST):
        link.send(note(number))
    await until(rows_of(receiver, BURST))
    # The same when the queue leaves all at once, as after a pause.
    assert link._connection is not None
    cut_off(link._connection)
    link._connection.pause_writing()
    for number in range(BURST, 2 * BURST):
        link.send(note(number))
    link._connection.resume_writing()
    await until(rows_of(receiver, 2 * BURST))
    assert receiver.evaluator.contents("kept") == [(n, "x") for n in range(2 * BURST)]
    assert receiver.counters.rows_in == 2 * BURST
    assert (sender.counters.rows_lost, receiver.counters.frames_missed) == (0, 0)
    assert (sender.counters.connections_lost, sender.counters.connections_made) == (2, 3)
    await closed_in_silence(sender, receiver, caplog)


@going
async def test_what_is_said_to_a_peer_or_a_host_that_is_gone_is_not_written(
    tls: Path | None, caplog: pytest.LogCaptureFixture
) -> None:
    sender, receiver = await pair(tls, backoff=0.01)
    link = sender.transport.link("receiver-0")
    link.send(note(0))
    await until(rows_of(receiver, 1))
    (peer,) = receiver.transport.door.connections
    place = receiver.transport.shared.directory.find("receiver-0")
    host = await connect(f"{place[0]}:{place[1]}", tls=tls)
    (inbound,) = (one for one in receiver.transport.door.connections if one.is_host)
    for connection in (peer, inbound):
        cut_off(connection)
        for _ in range(BURST):
            connection.send(pack([Kind.TAKEN, 1]))
    with pytest.raises(NodeGone):
        await host.insert("forget", [(1,)])
    await host.close()
    # The link stands again, and goes on where it was.
    link.send(note(1))
    await until(rows_of(receiver, 2))
    assert receiver.evaluator.contents("kept") == [(0, "x"), (1, "x")]
    await closed_in_silence(sender, receiver, caplog)


@going
async def test_inserts_of_the_turn_in_which_the_node_goes_all_hear_of_it(
    tls: Path | None, caplog: pytest.LogCaptureFixture
) -> None:
    sender, receiver = await pair(tls)
    place = receiver.transport.shared.directory.find("receiver-0")
    host = await connect(f"{place[0]}:{place[1]}", tls=tls)
    cut_off(host._wire)
    inserts = [host.insert("forget", [(n,)]) for n in range(BURST)]
    answers = await asyncio.gather(*inserts, return_exceptions=True)
    assert [type(one) for one in answers] == [NodeGone] * BURST
    assert {str(one).partition(":")[0] for one in answers} == {"the node is gone"}
    await closed_in_silence(sender, receiver, caplog)


@pytest.mark.parametrize("when", ["at once", "in the next turn", "refused"])
@going
async def test_a_link_that_is_closed_while_it_dials_leaves_no_failure_behind(
    when: str, tls: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection has been made, and whoever waits for the welcome does so no more."""
    loop = asyncio.get_running_loop()
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    sender, receiver = await pair(tls)
    link = sender.transport.link("receiver-0")
    closing: list[asyncio.Task[None]] = []
    connections: list[Outgoing] = []
    made = Outgoing.connection_made

    def made_and_closed(self: Outgoing, transport: asyncio.BaseTransport) -> None:
        made(self, transport)
        connections.append(self)
        if when == "refused":
            self.stream_fault("nonsense")
        if when != "in the next turn":
            assert link._dialing is not None
            link._dialing.cancel()
        closing.append(loop.create_task(link.close(0.0)))

    monkeypatch.setattr(Outgoing, "connection_made", made_and_closed)
    link.send(note(0))

    async def over() -> bool:
        return bool(closing) and closing[0].done() and not connections[0].open

    await until(over)
    assert link._dialing is not None
    await asyncio.wait({link._dialing})
    assert link._dialing.cancelled()
    connections.clear()
    await sender.close()
    await receiver.close()
    link._dialing = None
    gc.collect()
    assert told == []


@going
async def test_rows_to_oneself_arrive_at_the_next_tick() -> None:
    directory = Directory("c")
    one = node(Sender, "sender-0", directory, Limits())
    directory.nodes["sender-0"] = await one.open()
    one.begin()
    one.evaluator.insert("say", [("sender-0", 5, "to myself")])
    one.wake()

    async def there() -> bool:
        return one.counters.rows_in == 2

    await until(there)
    assert one.transport.links == {}
    assert one.evaluator.contents("back") == [("sender-0", 5)]
    await one.close()


@going
async def test_what_arrives_in_one_turn_shares_a_tick() -> None:
    directory = Directory("c")
    limits = Limits()
    receiver = node(Receiver, "receiver-0", directory, limits)
    senders = [node(Sender, f"sender-{n}", directory, limits) for n in range(4)]
    for each in (receiver, *senders):
        directory.nodes[each.address] = await each.open()
    for each in (receiver, *senders):
        each.begin()
    for round_ in range(3):
        for sender in senders:
            rows = [("receiver-0", round_ * 100 + n, "x") for n in range(50)]
            sender.evaluator.insert("say", rows)
            sender.wake()

        async def there(wanted: int = (round_ + 1) * 200) -> bool:
            return receiver.counters.rows_in >= wanted

        await until(there)
    assert receiver.counters.frames_in == 12
    assert receiver.counters.ticks <= 1 + 12
    for each in (receiver, *senders):
        await each.close()
