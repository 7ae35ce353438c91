"""One run: a cluster of processes, clients at work, faults from a seed, and the judgement.

Faults come in the first part of a run; then all of them stop, and every client must be answered
once more before the run may end.  What the clients saw is a history for each part of the
operations, judged by `sim/check.py`.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bloomish.runtime.chaos import faults
from bloomish.runtime.chaos.clients import Access, Client, Recorder
from bloomish.runtime.chaos.loads import Load
from bloomish.runtime.chaos.network import Network
from bloomish.runtime.chaos.operations import Part
from bloomish.runtime.cluster import RunningCluster, StartFailed, launch
from bloomish.runtime.history import Event, Header, History, HistoryFile, pair
from bloomish.runtime.launcher import LocalProcesses
from bloomish.runtime.roles import NoSuchRole, Roles
from bloomish.runtime.sim.check import Judgement, linearizable
from bloomish.runtime.sim.objects import WrongOperation, model
from bloomish.runtime.sim.schedule import Schedule, to_text

UNDER_FAULTS = 0.75
"""The part of a run in which faults come."""


@dataclass(frozen=True)
class Settings:
    """What all runs of a campaign have in common."""

    target: str
    declared: Roles
    parts: tuple[Part, ...]
    seconds: float = 10.0
    kinds: Sequence[str] = faults.KINDS
    schedule: Schedule | None = None
    """Instead of one drawn from the seed."""
    clients: int = 4
    """Of each part."""
    keys: int = 3
    """Objects of each part that are in use at a time."""
    per_key: int = 150
    """Operations after which an object is left."""
    patience: float = 1.0
    """Seconds after which the outcome of an operation is unknown."""
    recovery: float = 30.0
    """Seconds after the last fault in which every client must be answered."""
    evaluator: str = "auto"
    data: Path | None = None
    """Where durable tables are kept while a run goes on; in the folder for temporary files if not
    said.  In memory (/dev/shm) there is more load; SIGKILL takes no more from it than from a disk.
    """
    folder: Path | None = None
    """Where histories and the nodes' own output are kept; without it, those of runs that fail."""


@dataclass
class Outcome:
    """What came of a run."""

    seed: int
    schedule: Schedule
    judgements: dict[str, Judgement] = field(default_factory=dict)
    """By model."""
    counts: dict[str, int] = field(default_factory=dict)
    """Operations by what became of them: ok, fail, info."""
    problems: list[str] = field(default_factory=list)
    """What went wrong beside the histories."""
    histories: dict[str, Path] = field(default_factory=dict)
    seconds: float = 0.0
    recovered: float | None = None
    """Seconds from the end of the last fault until every client had been answered."""

    @property
    def status(self) -> int:
        """0: well; 1: a history has no order, or a problem; 3: a judgement is unknown."""
        verdicts = {one.verdict for one in self.judgements.values()}
        if "no" in verdicts or self.problems:
            return 1
        return 3 if "unknown" in verdicts else 0


def resized(declared: Roles, sizes: Mapping[str, int]) -> Roles:
    """The same cluster with other numbers of nodes."""
    for name in sizes:
        if name not in declared.rosters:
            known = ", ".join(one.name for one in declared.roles)
            raise NoSuchRole(f"{declared.name} has no role {name!r}; it has: {known}")
    made = tuple(
        replace(
            role,
            nodes=tuple(f"{role.name}-{n}" for n in range(sizes.get(role.name, len(role.nodes)))),
        )
        for role in declared.roles
    )
    rosters = dict(declared.rosters) | {role.name: role.nodes for role in made}
    return Roles(declared.name, declared.target, made, rosters)


def attacked(settings: Settings) -> tuple[str, ...]:
    """Whose processes are killed and paused: nodes that clients do not ask, if there are any."""
    asked = {part.role.name for part in settings.parts}
    others = [role for role in settings.declared.roles if role.name not in asked]
    return tuple(node for role in others or settings.declared.roles for node in role.nodes)


def planned(settings: Settings, seed: int) -> Schedule:
    """The faults of a run."""
    if settings.schedule is not None:
        return settings.schedule
    until = settings.seconds * UNDER_FAULTS
    return faults.drawn(seed, attacked(settings), settings.declared.nodes, until, settings.kinds)


async def torture(settings: Settings, seed: int) -> Outcome:
    """One run, judged."""
    outcome = Outcome(seed, planned(settings, seed))
    recorders = [Recorder() for _ in settings.parts]
    kept = settings.folder or Path(tempfile.mkdtemp(prefix="bloomish-torture-"))
    kept.mkdir(parents=True, exist_ok=True)
    log = os.open(_file(kept, settings, seed, "nodes", "log"), os.O_WRONLY | os.O_CREAT)
    try:
        with tempfile.TemporaryDirectory(prefix="bloomish-data-", dir=settings.data) as data:
            await _run(settings, seed, outcome, recorders, data, log)
    except BaseException:  # called off: nobody will look
        if settings.folder is None:
            shutil.rmtree(kept)
        raise
    finally:
        os.close(log)
    started = time.monotonic()
    for part, recorder in zip(settings.parts, recorders, strict=True):
        _judge(settings, part, recorder, outcome)
    outcome.seconds += time.monotonic() - started
    _keep(settings, outcome, recorders, kept)
    return outcome


async def _run(
    settings: Settings,
    seed: int,
    outcome: Outcome,
    recorders: Sequence[Recorder],
    data: str,
    log: int,
) -> None:
    told: list[str] = []
    nodes = settings.declared.nodes
    async with Network(nodes) as network:
        try:
            async with launch(
                settings.target,
                evaluator=settings.evaluator,
                seed=seed,
                data=data,
                loaded=settings.declared,
                report=told.append,
                launcher=LocalProcesses(log),
                seen=network.seen,
            ) as cluster:
                await _under_way(settings, seed, outcome, recorders, cluster, network)
                await _look_around(outcome, cluster)
        except* StartFailed as fault:
            outcome.problems.append(str(fault.exceptions[0]))


async def _under_way(
    settings: Settings,
    seed: int,
    outcome: Outcome,
    recorders: Sequence[Recorder],
    cluster: RunningCluster,
    network: Network,
) -> None:
    """Clients at work while faults come, and until all have been answered after them."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    stopped = asyncio.Event()
    waiting: set[int] = set()
    healed = 0
    all_answered = asyncio.Event()

    def answered(client: Client, invoked: int) -> None:
        if healed and invoked >= healed:
            waiting.discard(id(client))
            if not waiting:
                all_answered.set()

    def note(text: str) -> None:
        for recorder in recorders:
            recorder.note(text)

    clients, accesses = _clients(settings, seed, recorders, cluster, answered)
    staying = [asyncio.ensure_future(one.stay()) for one in accesses]
    working = [asyncio.ensure_future(one.run(stopped)) for one in clients]
    try:
        await faults.inflict(outcome.schedule, cluster, network, note)
        note("no more faults")
        waiting |= {id(one) for one in clients}
        healed, over = time.monotonic_ns(), loop.time()
        try:
            await asyncio.wait_for(all_answered.wait(), settings.recovery)
            outcome.recovered = loop.time() - over
        except TimeoutError:
            outcome.problems.append(
                f"{len(waiting)} of {len(clients)} clients were not answered within "
                f"{settings.recovery:g} s after the last fault"
            )
        await asyncio.sleep(begun + settings.seconds - loop.time())
        stopped.set()
        await asyncio.wait(working, timeout=settings.patience + 1)
    finally:
        for task in (*working, *staying):
            task.cancel()
        ended = await asyncio.gather(*working, *staying, return_exceptions=True)
        outcome.seconds = loop.time() - begun
    for one in ended:
        if isinstance(one, Exception):
            raise one


def _clients(
    settings: Settings,
    seed: int,
    recorders: Sequence[Recorder],
    cluster: RunningCluster,
    answered: Callable[[Client, int], None],
) -> tuple[list[Client], list[Access]]:
    """The clients of all parts, dealt to the nodes of their roles."""
    numbers, ids = itertools.count(), itertools.count(1)
    outputs: dict[str, dict[str, None]] = {}
    for part in settings.parts:
        for node in part.role.nodes:
            outputs.setdefault(node, {}).update(dict.fromkeys(part.outputs))
    accesses = {node: Access(cluster, node, tuple(names)) for node, names in outputs.items()}
    clients = []
    for part, recorder in zip(settings.parts, recorders, strict=True):
        chance = random.Random(f"load/{seed}/{part.model}")
        load = Load(part, chance, settings.keys, settings.per_key)
        for number in range(settings.clients):
            node = part.role.nodes[number % len(part.role.nodes)]
            clients.append(
                Client(
                    load,
                    accesses[node],
                    recorder,
                    numbers,
                    ids,
                    settings.patience,
                    answered,
                )
            )
    return clients, list(accesses.values())


async def _look_around(outcome: Outcome, cluster: RunningCluster) -> None:
    """What the nodes have counted that should not have been."""
    for name, status in (await cluster.status()).items():
        for what in ("violations", "rows_set_aside", "rows_refused", "frames_refused"):
            count = status["counters"][what]
            if count:
                outcome.problems.append(f"{name}: {count} {what.replace('_', ' ')}")
    killed = "was killed by SIGKILL"
    outcome.problems += [one for one in cluster.deaths if not one.endswith(killed)]


def _judge(settings: Settings, part: Part, recorder: Recorder, outcome: Outcome) -> None:
    events = [
        (number, one)
        for number, one in enumerate(recorder.lines, start=2)  # the first line is the header
        if isinstance(one, Event)
    ]
    for _, one in events:
        if one.type != "invoke":
            outcome.counts[one.type] = outcome.counts.get(one.type, 0) + 1
    history = History(tuple(pair(events)))
    try:
        outcome.judgements[part.model] = linearizable(history, model(part.model), part.initial)
    except WrongOperation as fault:
        outcome.problems.append(f"history of the {part.model}, {fault}")


def _keep(settings: Settings, outcome: Outcome, recorders: Sequence[Recorder], kept: Path) -> None:
    """Files of the run: those of one that went well only if a folder for them was named."""
    log = _file(kept, settings, outcome.seed, "nodes", "log")
    if settings.folder is None and not outcome.status:
        log.unlink()
        kept.rmdir()
        return
    for part, recorder in zip(settings.parts, recorders, strict=True):
        about = {
            "target": settings.target,
            "nodes": list(settings.declared.nodes),
            "seed": outcome.seed,
            "faults": to_text(outcome.schedule),
        }
        path = _file(kept, settings, outcome.seed, part.model, "jsonl")
        with HistoryFile.at(path, Header(part.model, part.initial, about)) as file:
            for line in recorder.lines:
                file.write(line)
        outcome.histories[part.model] = path


def _file(folder: Path, settings: Settings, seed: int, what: str, kind: str) -> Path:
    return folder / f"{len(settings.declared.nodes)}-nodes-seed-{seed}-{what}.{kind}"
