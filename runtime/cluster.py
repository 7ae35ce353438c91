"""A running cluster: its nodes' processes, from the first to the last.

    async with launch("programs/kvs.py") as cluster:
        async with cluster.connect("client-0") as node:
            ...

All doors are open before the first node ticks, and `launch` hands over when
every node has taken its first tick.  A process that dies is reported, or
restarted; none outlives the cluster.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from bloomish.errors import BloomishError
from bloomish.ir_json import to_json
from bloomish.runtime.control import Orders
from bloomish.runtime.coordinated import load, plain
from bloomish.runtime.directory import Directory
from bloomish.runtime.host import HostFault, Node, connect
from bloomish.runtime.launcher import Launcher, LocalProcesses, NodeProcess
from bloomish.runtime.roles import Roles, roles
from bloomish.runtime.tls import Credentials
from bloomish.runtime.trace import RunRecord, TraceFile

log = logging.getLogger("bloomish.cluster")

State = Literal["starting", "running", "stopped", "dead"]
Restart = Literal["never", "on-failure"]
Seen = Callable[[str, Directory], Directory]
"""Where a node finds the others: of its name and the places where they are."""
RESTARTS = 5
RESTART_WINDOW = 60.0


class StartFailed(BloomishError):
    """A node did not come up; the text says which and why."""


@dataclass
class Member:
    """One node of the cluster."""

    orders: Orders
    state: State = "starting"
    process: NodeProcess | None = None
    reason: str = ""
    evaluator: str = ""
    restarts: list[float] = field(default_factory=list)
    returning: bool = False
    """It died and is being restarted."""
    host: Node | None = None

    @property
    def name(self) -> str:
        """The node's address."""
        return self.orders.address


class RunningCluster:
    """See the module; made by `launch`."""

    def __init__(
        self,
        declared: Roles,
        orders: Mapping[str, Orders],
        *,
        launcher: Launcher,
        restart: Restart,
        report: Callable[[str], None],
        directory_file: str | None,
        tls: str | None,
        seen: Seen,
    ) -> None:
        self.roles = declared
        self.members = {name: Member(one) for name, one in orders.items()}
        self.directory = Directory(next(iter(orders.values())).cluster)
        self.deaths: list[str] = []
        self._launcher = launcher
        self._restart = restart
        self._report = report
        self._directory_file = directory_file
        self._tls = tls
        self._seen = seen
        self._closing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()

    # -- up

    async def start(self) -> None:
        """Start every node; returns when all have taken their first tick."""
        self._start_trace()
        try:
            async with asyncio.TaskGroup() as group:
                for member in self.members.values():
                    group.create_task(self._open(member))
        except BaseExceptionGroup as faults:
            await self.stop()
            raise faults.exceptions[0] from None
        except asyncio.CancelledError:
            await self.stop()
            raise
        self._tell_directory()
        for member in self.members.values():
            self._supervise(member)
        await self.wait_for("running", *self.members)

    def _start_trace(self) -> None:
        """The trace's first line; what an earlier run left in the file is removed."""
        orders = next(iter(self.members.values())).orders
        if orders.trace is None:
            return
        try:
            with open(orders.trace, "w"):
                pass
            trace = TraceFile(orders.trace, self._report)
        except OSError as fault:
            raise StartFailed(f"the trace cannot be opened: {fault}") from fault
        nodes = tuple(self.members)
        run = RunRecord(
            orders.target, nodes, "processes", time.time(), orders.seed, self.roles.name
        )
        trace.write(run)
        trace.close()

    async def _open(self, member: Member) -> None:
        """Start a process and wait until its door is open."""
        member.process = await self._launcher.start(member.orders)
        message = await member.process.control.hear()
        if message is None or "listening" not in message:
            reason = (message or {}).get("failed") or await self._exit_text(member)
            raise StartFailed(f"{member.name} did not start: {reason}")
        host, port = message["listening"]
        member.evaluator = message["evaluator"]
        # The same port after a restart, where it is still free.
        member.orders = replace(member.orders, port=port)
        self.directory.nodes[member.name] = (host, port)

    async def _exit_text(self, member: Member) -> str:
        assert member.process is not None
        code = await member.process.process.wait()
        if code < 0:
            return f"its process was killed by {signal.Signals(-code).name}"
        return f"its process ended with status {code}"

    def _tell_directory(self) -> None:
        for member in self.members.values():
            if member.process is not None and member.state in ("starting", "running"):
                seen = self._seen(member.name, self.directory)
                member.process.control.say(directory=seen.to_json())
        if self._directory_file is not None:
            self.directory.write(self._directory_file)

    def _supervise(self, member: Member) -> None:
        task = asyncio.get_running_loop().create_task(self._watch_over(member))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch_over(self, member: Member) -> None:
        """Follow a node until its process ends; then report or restart."""
        assert member.process is not None
        stopped: str | None = None
        async for message in member.process.control:
            if "running" in message:
                member.returning = False
                await self._set(member, "running")
            elif "stopped" in message:
                stopped = message["stopped"]
        text = await self._exit_text(member)
        member.process.control.close()
        member.host = None
        if self._closing or stopped == "":
            await self._set(member, "stopped")
            return
        member.reason = stopped or text
        self.deaths.append(f"{member.name}: {member.reason}")
        member.returning = self._restart != "never"
        await self._set(member, "dead")
        if not member.returning or not await self._bring_back(member):
            self._report(f"{member.name} is gone: {member.reason}")
            member.returning = False
            await self._set(member, "dead")

    async def _bring_back(self, member: Member) -> bool:
        """Restart a node that died, unless it keeps dying."""
        now = asyncio.get_running_loop().time()
        member.restarts = [one for one in member.restarts if now - one < RESTART_WINDOW]
        if len(member.restarts) >= RESTARTS:
            member.reason += f"; it has died {RESTARTS + 1} times within {RESTART_WINDOW:g} s"
            return False
        wait = 0.1 * 2 ** len(member.restarts) if member.restarts else 0.0
        member.restarts.append(now)
        self._report(f"{member.name} is gone ({member.reason}): restarting it")
        await asyncio.sleep(wait)
        if self._closing:
            return False
        try:
            await self.restart(member.name)
        except StartFailed as fault:
            member.reason = str(fault)
            return False
        return True

    async def restart(self, name: str) -> None:
        """Start a dead node's process again, as its next incarnation."""
        member = self.members[name]
        if member.state not in ("dead", "stopped"):
            raise StartFailed(f"{name} is {member.state}")
        member.orders = replace(member.orders, incarnation=member.orders.incarnation + 1)
        member.state = "starting"
        try:
            await self._open(member)
        except StartFailed:
            # The port may be taken by now: any will do.
            member.orders = replace(member.orders, port=0)
            try:
                await self._open(member)
            except StartFailed:
                member.state = "dead"
                raise
        self._tell_directory()
        self._supervise(member)

    # -- waiting

    async def _set(self, member: Member, state: State) -> None:
        member.state = state
        async with self._changed:
            self._changed.notify_all()

    async def wait_for(self, state: State, *names: str, timeout: float = 60.0) -> None:
        """Wait until these nodes are in that state.  A node that dies meanwhile, when it was
        to run and is not restarted, raises StartFailed."""

        def there() -> bool:
            members = [self.members[name] for name in names]
            for member in members:
                if state == "running" and member.state == "dead" and self._restart == "never":
                    raise StartFailed(f"{member.name} did not start: {member.reason}")
            return all(member.state == state for member in members)

        async with self._changed:
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait_for(there)
            except TimeoutError:
                raise StartFailed(f"{', '.join(names)}: not {state} within {timeout:g} s") from None

    async def runs(self, name: str) -> None:
        """Wait until a node runs; if it is dead, until it has been restarted."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.members[name].state == "running")

    async def all_gone(self) -> None:
        """Wait until no node runs and none is being restarted."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: all(
                    member.state == "stopped" or (member.state == "dead" and not member.returning)
                    for member in self.members.values()
                )
            )

    @property
    def running(self) -> list[str]:
        """The nodes that run."""
        return [name for name, member in self.members.items() if member.state == "running"]

    # -- hosts

    def connect(self, name: str) -> connect:
        """`async with cluster.connect("replica-0") as node`."""
        tls = Credentials.of(self._tls, "host") if self._tls is not None else None
        return connect(name, directory=self.directory, tls=tls)

    async def status(self, patience: float = 5.0) -> dict[str, dict[str, Any]]:
        """The status of every node that runs and answers within a moment."""
        names = self.running
        answers = await asyncio.gather(*(self.status_of(name, patience) for name in names))
        return {name: one for name, one in zip(names, answers, strict=True) if one is not None}

    async def status_of(self, name: str, patience: float = 5.0) -> dict[str, Any] | None:
        """One node's; None if it does not answer."""
        member = self.members[name]
        try:
            async with asyncio.timeout(patience):
                if member.host is None:
                    member.host = await self.connect(name)
                return await member.host.status()
        except HostFault:
            member.host = None
            return None
        except TimeoutError:
            return None

    async def quiet(self, window: float = 0.5, poll: float = 0.1) -> dict[str, dict[str, Any]]:
        """Wait until nothing goes on any more; the statuses then.

        Quiet is: every row sent to a running node has been taken by it, no
        insert waits, and for `window` seconds no tick has sent, changed or
        handed over anything (resends of what stands are not counted).
        """
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            statuses = await self.status()
            if (
                all(member.state != "starting" for member in self.members.values())
                and len(statuses) == len(self.running)
                and _is_quiet(statuses, window + loop.time() - before)
            ):
                return statuses
            await asyncio.sleep(poll)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a node's process."""
        process = self.members[name].process
        assert process is not None
        process.signal(number)

    # -- down

    async def stop(self, patience: float = 5.0) -> None:
        """Stop every node in order; kill what does not."""
        self._closing = True
        for member in self.members.values():
            if member.host is not None:
                await member.host.close()
        await asyncio.gather(
            *(
                member.process.end(patience)
                for member in self.members.values()
                if member.process is not None
            )
        )
        if self._tasks:
            await asyncio.wait(self._tasks)
        for member in self.members.values():
            if member.process is not None:
                member.process.control.close()
        if self._directory_file is not None:
            Path(self._directory_file).unlink(missing_ok=True)


def _is_quiet(statuses: Mapping[str, Mapping[str, Any]], window: float) -> bool:
    for name, status in statuses.items():
        if status["pending"] or status["quiet"] < window:
            return False
        for peer, number in status["outstanding"].items():
            if not number or peer not in statuses:
                continue
            incarnation, position = statuses[peer]["taken"].get(name, (0, 0))
            if incarnation != status["incarnation"] or position < number:
                return False
    return True


class launch:
    """`async with launch(target) as cluster`: a target's nodes as processes of this machine.

    `evaluator` is "auto", "engine" or "reference"; `data` the folder for durable
    tables (none: they are in memory, as durable as the process, at no cost); `trace` a file for the
    trace; `directory` a file that says where the nodes are, for `connect`;
    `tls` a folder of certificates; `restart` what to do about a node that dies;
    `limits` overrides of transport.Limits; `resend` first and last wait of the
    resend timer; `seen` what each node is told of where the others are, if that
    is not where they are: a proxy between them.
    """

    def __init__(
        self,
        target: str | Path,
        *,
        evaluator: str = "auto",
        seed: int = 0,
        host: str = "127.0.0.1",
        data: str | Path | None = None,
        trace: str | Path | None = None,
        directory: str | Path | None = None,
        tls: str | Path | None = None,
        restart: Restart = "never",
        limits: Mapping[str, float] | None = None,
        resend: tuple[float, float] | None = None,
        report: Callable[[str], None] = log.warning,
        launcher: Launcher | None = None,
        loaded: Roles | None = None,
        seen: Seen = lambda node, directory: directory,
    ) -> None:
        declared = loaded or roles(load(str(target)))
        identity = secrets.token_hex(8)
        made = plain(str(target)) != str(target)
        programs = {role.name: to_json(role.program) for role in declared.roles if made}
        orders = {
            node: Orders(
                address=node,
                role=role.name,
                target=str(target),
                cluster=identity,
                rosters={name: list(nodes) for name, nodes in declared.rosters.items()},
                evaluator=evaluator,
                seed=seed,
                host=host,
                trace=_absolute(trace),
                data=_absolute(data),
                tls=_absolute(tls),
                limits=dict(limits or {}),
                resend=resend,
                program=programs.get(role.name),
            )
            for role in declared.roles
            for node in role.nodes
        }
        self._cluster = RunningCluster(
            declared,
            orders,
            launcher=launcher or LocalProcesses(),
            restart=restart,
            report=report,
            directory_file=_absolute(directory),
            tls=_absolute(tls),
            seen=seen,
        )

    async def __aenter__(self) -> RunningCluster:
        await self._cluster.start()
        return self._cluster

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._cluster.stop()


def _absolute(path: str | Path | None) -> str | None:
    return None if path is None else str(Path(path).absolute())
