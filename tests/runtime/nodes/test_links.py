"""Links over connections that break: what was under way comes again, and only once."""

from __future__ import annotations

import asyncio
import random

import pytest

from bloomish.program import compile
from bloomish.runtime.connections import Limits
from bloomish.runtime.directory import Directory
from bloomish.runtime.evaluators import make_evaluator
from bloomish.runtime.node import Node, Settings
from bloomish.values import Values
from tests.runtime.nodes.support import going, until
from tests.runtime.nodes.weather import Receiver, Sender

pytestmark = pytest.mark.usefixtures("quiet_log")


def node(program: type, address: str, directory: Directory, limits: Limits) -> Node:
    """A node in this process."""
    compiled = compile(program)
    return Node(
        compiled.program,
        make_evaluator(compiled.program, compiled.externals, node=address),
        directory,
        values=Values(compiled.program.lattices, compiled.externals.lattices),
        settings=Settings(limits=limits),
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
