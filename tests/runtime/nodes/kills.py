"""Processes killed at random moments under load, and what they had said before."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bloomish.runtime.cluster import RunningCluster, launch
from bloomish.runtime.host import HostFault, Node, NodeGone
from bloomish.runtime.launcher import LocalProcesses
from bloomish.runtime.trace import Record, TickRecord, read

KVS = "bloomish.programs.kvs"
PAXOS = "bloomish.programs.paxos"
PATIENCE = 0.2
"""Seconds that a client waits for an acknowledgement: a channel loses what a dead peer had."""
LANES = 8


class Hasty(LocalProcesses):
    """Starts nodes that answer before they commit."""

    module = "tests.runtime.nodes.hasty_node"


async def killed(
    cluster: RunningCluster,
    victims: Callable[[], Sequence[str]],
    times: int,
    chance: random.Random,
    count: Callable[[], int],
    check: Callable[[], Awaitable[None]],
) -> None:
    """Kill at random moments, some time after the load's `count` goes up again; bring back,
    check; so many times."""
    done = 0
    while done < times:
        before = count()
        while count() < before + 3:
            await asyncio.sleep(0.005)
        await asyncio.sleep(chance.uniform(0.0, 0.2))
        names = victims()
        for name in names:
            cluster.kill(name)
        await cluster.wait_for("dead", *names)
        await asyncio.gather(*(cluster.restart(name) for name in names))
        await cluster.wait_for("running", *names)
        done += len(names)
        await check()


@contextlib.asynccontextmanager
async def going_on(loads: Iterable[Callable[[], Awaitable[None]]]) -> AsyncIterator[None]:
    """Loads that run until the block ends; one that fails is told."""
    tasks = [asyncio.ensure_future(load()) for load in loads]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# ------------------------------------------------------------ a store under load


async def put(client: Node, lane: int, told: list[Any]) -> None:
    """Writes, one at a time, each acknowledged or given up: the kvs, by its client.

    Every write has a key of its own: a put that its channel delivers late, or twice, may come
    after one that replaced it, and that is no loss."""
    done = client.watch("done")
    for number in itertools.count(lane, LANES):
        key = f"{client.address}/{number}"
        await client.insert("want", [(number, key, str(number))])
        try:
            async with asyncio.timeout(PATIENCE):
                while (number,) not in await done.take(1):
                    continue
        except TimeoutError:
            continue
        told.append((key, str(number)))


def missing(told: Iterable[Any], there: Iterable[Any]) -> list[str]:
    """What was told to be there and is not."""
    known = set(there)
    return [f"{row} was acknowledged and is not there" for row in told if row not in known]


async def kill_a_store(
    folder: Path, times: int, seed: int, launcher: LocalProcesses | None = None
) -> tuple[int, list[str]]:
    """The key-value store's server is killed under its clients' load: how many writes were
    acknowledged, and which are lost."""
    told: list[Any] = []
    lost: list[str] = []
    async with contextlib.AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(launch(KVS, data=folder, launcher=launcher))
        loads = []
        for lane, client in itertools.product(range(LANES), ("client-0", "client-1")):
            node = await stack.enter_async_context(cluster.connect(client))
            loads.append(partial(put, node, lane, told))

        async def check() -> None:
            before = list(told)
            async with cluster.connect("server-0") as server:
                lost.extend(missing(before, await server.contents("store")))

        await stack.enter_async_context(going_on(loads))
        chance = random.Random(seed)
        await killed(cluster, lambda: ["server-0"], times, chance, lambda: len(told), check)
    return len(told), lost


async def insert_rows(
    cluster: RunningCluster, name: str, collection: str, rows: Iterable[Any], told: list[Any]
) -> None:
    """Inserts, one row after the other, of a host that comes back to its node."""
    pending = iter(rows)
    while True:
        try:
            async with cluster.connect(name) as node:
                for row in pending:
                    await node.insert(collection, [row])
                    told.append(row)
        except (NodeGone, HostFault):
            await asyncio.sleep(0.02)


async def kill_a_host_s_node(
    program: str, folder: Path, times: int, seed: int, launcher: LocalProcesses | None = None
) -> tuple[int, list[str]]:
    """A host inserts into a durable table; how many inserts returned, and which are lost."""
    told: list[Any] = []
    lost: list[str] = []
    async with launch(program, data=folder, launcher=launcher) as cluster:
        (name,) = cluster.members

        async def check() -> None:
            before = list(told)
            async with cluster.connect(name) as node:
                lost.extend(missing(before, await node.contents("notes")))

        notes = ((n, "x") for n in itertools.count())
        async with going_on([partial(insert_rows, cluster, name, "note", notes, told)]):
            chance = random.Random(seed)
            await killed(cluster, lambda: [name], times, chance, lambda: len(told), check)
    return len(told), lost


# ------------------------------------------------------------------ votes of Paxos


@dataclass
class Votes:
    """What acceptors told their peers, whenever: it does not matter in which order.

    A vote in ballot v and a promise of a ballot p > v with the report "my last vote was in r": if
    the vote came first, then r >= v; if the promise came first, there was no such vote.
    """

    promises: dict[tuple[str, str], dict[Any, Any]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    votes: dict[tuple[str, str], dict[Any, str]] = field(default_factory=lambda: defaultdict(dict))
    decided: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    wrong: list[str] = field(default_factory=list)
    told: int = 0

    def heard(self, record: Record) -> None:
        """One tick of somebody's trace: what arrived for it, what it decided."""
        if not isinstance(record, TickRecord):
            return
        for instance, value in [*record.added.get("chosen", ()), *record.events.get("chosen", ())]:
            self.decided[instance].add(value)
        for receive in record.receives:
            for _, instance, ballot, acceptor, (version, value) in receive.rows.get(
                "Paxos.promise", ()
            ):
                self._same(self.promises[acceptor, instance], ballot, (version, value), acceptor)
            for _, instance, ballot, value, acceptor in receive.rows.get("Paxos.voted", ()):
                self._same(self.votes[acceptor, instance], ballot, value, acceptor)

    def _same(self, known: dict[Any, Any], ballot: Any, told: Any, acceptor: str) -> None:
        self.told += 1
        before = known.setdefault(_plain(ballot), _plain(told))
        if isinstance(told, str) and before != told:
            self.wrong.append(f"{acceptor} voted {before!r} and {told!r} in ballot {ballot}")

    def contradictions(self) -> list[str]:
        """Everything that cannot have been told by one memory."""
        wrong = list(self.wrong)
        for (acceptor, instance), promises in self.promises.items():
            votes = self.votes[acceptor, instance]
            for promised, (reported, value) in promises.items():
                for ballot, voted in votes.items():
                    if ballot < promised and (reported < ballot):
                        wrong.append(
                            f"{instance}: {acceptor} voted in {ballot} and, promising {promised}, "
                            f"reported {reported}"
                        )
                    if ballot == reported and voted != value:
                        wrong.append(f"{instance}: {acceptor} voted {voted!r}, reported {value!r}")
        wrong += [
            f"{one}: {sorted(values)}" for one, values in self.decided.items() if len(values) > 1
        ]
        return wrong


def _plain(value: Any) -> Any:
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def rivals(name: str) -> Iterable[tuple[str, str]]:
    """Every node wants every instance to be its own."""
    return ((str(number), name) for number in itertools.count())


async def kill_acceptors(
    folder: Path, times: int, seed: int, launcher: LocalProcesses | None = None
) -> Votes:
    """Nodes of Paxos are killed, one or two at a time, while all propose; what they had told."""
    nodes = ["node-0", "node-1", "node-2"]
    chance = random.Random(seed)
    trace = folder / "trace.jsonl"
    proposed: list[Any] = []
    async with launch(PAXOS, data=folder, trace=trace, launcher=launcher) as cluster:
        loads = [
            partial(insert_rows, cluster, name, "propose", rivals(name), proposed) for name in nodes
        ]

        async def check() -> None:
            return None

        def victims() -> list[str]:
            return chance.sample(nodes, chance.choice((1, 1, 2)))

        async with going_on(loads):
            await killed(cluster, victims, times, chance, lambda: len(proposed), check)
            await asyncio.sleep(0.5)
    votes = Votes()
    with trace.open("rb") as lines:
        for record in read(lines):
            votes.heard(record)
    return votes
