"""`bloomish run`: a target's nodes as processes, fed, watched, and stopped in order."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from bloomish.runtime.cluster import Restart, RunningCluster, StartFailed, launch
from bloomish.runtime.coordinated import load
from bloomish.runtime.ends import Ends
from bloomish.runtime.feeds import BadOption, Feed, Place, feed, find_place, parse_feed
from bloomish.runtime.host import Change, HostFault, Node, NodeGone, Watch
from bloomish.runtime.roles import Roles, roles
from bloomish.runtime.rowtext import row_json, row_text
from bloomish.runtime.tls import Credentials, CredentialsMissing

WATCHABLE = ("output", "invariant")


@dataclass(frozen=True)
class Options:
    """The options of `bloomish run`."""

    target: str
    feeds: Sequence[str] = ()
    watches: Sequence[str] = ()
    no_watch: bool = False
    seconds: float | None = None
    until_quiet: bool = False
    format: Literal["text", "json"] = "text"
    trace: str | None = None
    evaluator: str = "auto"
    seed: int = 0
    data: str | None = None
    directory: str | None = None
    tls: str | None = None
    restart: Restart = "never"


def run(options: Options) -> int:
    """Run the target; the exit status: 0, or 1 if something went wrong on the way
    (a node died, an invariant was violated, rows were refused or set aside), 128 + the
    signal that ended the run.  Raises BloomishError for a wrong target or option."""
    try:
        declared = roles(load(options.target))
        feeds = [parse_feed(text, declared) for text in options.feeds]
        watches = _watches(options, declared)
        _check_files(options, declared)
    except CredentialsMissing as fault:
        raise BadOption(str(fault)) from fault
    if sum(one.source == "-" for one in feeds) > 1:
        raise BadOption("the standard input can feed one collection only")
    if options.restart not in get_args(Restart):
        raise BadOption(f"--restart is one of {', '.join(get_args(Restart))}")
    return asyncio.run(_Run(options, declared, feeds, watches).run())


def _check_files(options: Options, declared: Roles) -> None:
    """Files that an option names and that cannot be there are a wrong option."""
    if options.tls is not None:
        for name in [*(node for role in declared.roles for node in role.nodes), "host"]:
            Credentials.of(options.tls, name)
    if options.data is not None and Path(options.data).exists() and not Path(options.data).is_dir():
        raise BadOption(f"--data {options.data}: it is a file, and a folder is wanted")
    for option, path in (("--trace", options.trace), ("--directory", options.directory)):
        if path is not None and not Path(path).absolute().parent.is_dir():
            raise BadOption(f"{option} {path}: there is no folder {Path(path).parent}")
        if path is not None and Path(path).is_dir():
            raise BadOption(f"{option} {path}: it is a folder, and a file is wanted")


def _watches(options: Options, declared: Roles) -> list[tuple[str, str]]:
    """What is printed, as (node, collection), each once: what was asked for, or every
    output; invariants always."""
    places = [find_place(text, declared, WATCHABLE, "output") for text in options.watches]
    kinds = ["invariant"] if options.no_watch or options.watches else list(WATCHABLE)
    for role in declared.roles:
        for one in role.program.collections:
            if one.kind in kinds:
                places.append(Place(one.name, role.nodes))
    return list(dict.fromkeys((node, one.collection) for one in places for node in one.nodes))


@dataclass
class _Run:
    """One run."""

    options: Options
    declared: Roles
    feeds: Sequence[Feed]
    watches: Sequence[tuple[str, str]]
    wrong: list[str] = field(default_factory=list)
    violations: int = 0
    fed: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    by_signal: int = 0
    cluster: RunningCluster | None = None

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._signalled, number)
        started = time.monotonic()
        statuses: Mapping[str, Any] = {}
        try:
            starting = launch(
                self.options.target,
                evaluator=self.options.evaluator,
                seed=self.options.seed,
                data=self.options.data,
                trace=self.options.trace,
                directory=self.options.directory,
                tls=self.options.tls,
                restart=self.options.restart,
                report=self._say,
                loaded=self.declared,
            )
            async with AsyncExitStack() as stack:
                cluster = await self._unless_signalled(stack, starting)
                if cluster is not None:
                    self.cluster = cluster
                    self._announce(cluster, time.monotonic() - started)
                    statuses = await self._with(cluster)
        except (StartFailed, HostFault) as fault:
            self._say(str(fault))
            return 1
        except OSError as fault:
            self._say(f"the run could not be started: {fault}")
            return 1
        self._sum_up(statuses, time.monotonic() - started)
        if self.by_signal:
            return 128 + self.by_signal
        return 1 if self.wrong or self.violations else 0

    def _signalled(self, number: int) -> None:
        if self.by_signal and self.cluster is not None:
            # Whoever presses Ctrl-C again does not want to wait for nodes in order.
            for name in self.cluster.members:
                self.cluster.kill(name)
        self.by_signal = number
        self.ended.set()

    @property
    def _patience(self) -> float:
        """How long a node may take to answer, in seconds, once the run is over."""
        return 1.0 if self.by_signal else 5.0

    async def _unless_signalled(
        self, stack: AsyncExitStack, starting: launch
    ) -> RunningCluster | None:
        """Start the cluster; a signal meanwhile calls it off."""
        start = asyncio.ensure_future(stack.enter_async_context(starting))
        end = asyncio.ensure_future(self.ended.wait())
        await asyncio.wait({start, end}, return_when=asyncio.FIRST_COMPLETED)
        end.cancel()
        if not start.done():
            start.cancel()
            with suppress(asyncio.CancelledError):
                await start
            return None
        return start.result()

    # -- while it runs

    async def _with(self, cluster: RunningCluster) -> Mapping[str, Any]:
        nodes: dict[str, Node] = {}
        wanted = {node for node, _ in self.watches}
        wanted |= {node for one in self.feeds for node in one.place.nodes}
        wanted.update(self._fed_nodes())
        for name in sorted(wanted):
            nodes[name] = await cluster.connect(name)
        watching = [
            (name, collection, nodes[name].changes(collection)) for name, collection in self.watches
        ]
        printing = [asyncio.ensure_future(self._print(cluster, *one)) for one in watching]
        showing = self._live(cluster)
        feeding = asyncio.ensure_future(self._feed_all(nodes))
        ending = asyncio.ensure_future(self._until(cluster, feeding))
        await asyncio.wait({ending})
        await _finish([ending, feeding, *showing])
        statuses = await cluster.status(self._patience)
        silent = [name for name in cluster.running if name not in statuses]
        for name in silent:
            self._refused(f"{name} runs and does not answer")
        self.wrong += [
            f"{name}: {member.reason}"
            for name, member in cluster.members.items()
            if member.state == "dead"
        ]
        # The answer to a request comes after all rows that were handed out before it.
        for name in nodes.keys() & statuses.keys():
            with suppress(HostFault, TimeoutError):
                await asyncio.wait_for(nodes[name].status(), self._patience)
        await _finish(printing)
        for name, collection, watch in watching:
            for change in watch.ready():
                self._print_row(name, collection, change)
        sys.stdout.flush()
        await self._check_eventually(cluster, statuses)
        for node in nodes.values():
            await node.close()
        return statuses

    def _live(self, cluster: RunningCluster) -> list[asyncio.Future[None]]:
        """Live counters, where somebody looks at a terminal."""
        if not sys.stderr.isatty():
            return []
        from bloomish.runtime.dashboard import show

        return [asyncio.ensure_future(show(cluster))]

    async def _feed_all(self, nodes: dict[str, Node]) -> None:
        ends = Ends({node: role.program for role in self.declared.roles for node in role.nodes})

        async def one_feed(one: Feed) -> bool:
            try:
                async for rows in feed(one, nodes, self._refused, ends):
                    self.fed += rows
            except HostFault as fault:
                self._refused(str(fault))
                return False
            return True

        if all(await asyncio.gather(*map(one_feed, self.feeds))):
            await self._end(ends, nodes)

    async def _end(self, ends: Ends, nodes: dict[str, Node]) -> None:
        """The files have been fed to their ends: roles that they fed get no more."""
        for name, collection, rows in ends.rows(self._fed_nodes()):
            try:
                await nodes[name].insert(collection, rows)
            except HostFault as fault:
                self._refused(str(fault))

    def _fed_nodes(self) -> list[str]:
        """All nodes of the roles that a file feeds."""
        fed = {self.declared.of(one.place.nodes[0]).name for one in self.feeds}
        return [node for role in self.declared.roles if role.name in fed for node in role.nodes]

    def _refused(self, text: str) -> None:
        self.wrong.append(text)
        self._say(text)

    async def _until(self, cluster: RunningCluster, feeding: asyncio.Future[None]) -> None:
        """Wait for the end of the run: the time, the quiet, a signal, or nobody left."""
        ends = [
            asyncio.ensure_future(self.ended.wait()),
            asyncio.ensure_future(self._nobody_left(cluster)),
        ]
        if self.options.seconds is not None:
            ends.append(asyncio.ensure_future(asyncio.sleep(self.options.seconds)))
        if self.options.until_quiet:
            ends.append(asyncio.ensure_future(self._quiet(cluster, feeding)))
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        await _finish(ends)

    async def _quiet(self, cluster: RunningCluster, feeding: asyncio.Future[None]) -> None:
        await feeding
        await cluster.quiet()

    async def _nobody_left(self, cluster: RunningCluster) -> None:
        """A cluster of which every node has died or stopped is over."""
        await cluster.all_gone()

    async def _check_eventually(self, cluster: RunningCluster, nodes: Container[str]) -> None:
        """What must be the case at the end of a run, must be at every node that still runs."""
        for role in self.declared.roles:
            for one in role.program.collections:
                if one.kind != "eventually":
                    continue
                for name in role.nodes:
                    if name not in nodes:
                        continue
                    async with cluster.connect(name) as node:
                        if not await node.contents(one.name):
                            self._refused(f"{name}: {one.name} is empty at the end of the run")

    # -- what is printed

    async def _print(
        self, cluster: RunningCluster, name: str, collection: str, watch: Watch[Change]
    ) -> None:
        while True:
            try:
                async for change in watch:
                    self._print_row(name, collection, change)
                    for more in watch.ready():
                        self._print_row(name, collection, more)
                    sys.stdout.flush()
                return
            except NodeGone:
                # Its process has died; if it is restarted, the watch goes on.
                again = await self._watch_again(cluster, name, collection)
                if again is None:
                    return
                watch = again
            except HostFault as fault:
                self._refused(f"{name}: {fault}")
                return

    async def _watch_again(
        self, cluster: RunningCluster, name: str, collection: str
    ) -> Watch[Change] | None:
        """The watch of a node that has been restarted; None if it is not."""
        while True:
            try:
                await cluster.wait_for("running", name, timeout=float("inf"))
                node = await cluster.connect(name)
                return node.changes(collection)
            except StartFailed:
                return None  # the cluster has reported it
            except NodeGone:
                await asyncio.sleep(0.1)  # it has died again before we were through

    def _print_row(self, name: str, collection: str, change: Change) -> None:
        role = self.declared.of(name)
        kind = next(one.kind for one in role.program.collections if one.name == collection)
        if kind == "invariant" and change.added:
            self.violations += 1
        if self.options.format == "json":
            line = {"kind": "violation" if kind == "invariant" else "row", "node": name}
            rest = {"tick": change.tick, "row": row_json(change.row), "added": change.added}
            print(json.dumps(line | {"collection": collection} | rest, ensure_ascii=False))
            return
        text = row_text(collection, change.row)
        sign = "" if change.added else "no longer "
        note = "violated: " if kind == "invariant" else ""
        print(f"{name}  {sign}{note}{text}")

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def _announce(self, cluster: RunningCluster, seconds: float) -> None:
        slow = {one.evaluator for one in cluster.members.values()} == {"reference"}
        if slow and self.options.evaluator != "reference":
            self._say(
                "NOTE: the engine is not built here; the slow reference evaluator runs this "
                "(--evaluator reference asks for it)"
            )
        names = " ".join(cluster.members)
        if self.options.data is None and self._durable():
            # A node that dies forgets what it has promised: to be known before, not after.
            names += "; durable tables in memory only (--data DIR keeps them)"
        self._say(f"{len(cluster.members)} node(s) ready after {seconds:.1f} s: {names}")

    def _durable(self) -> bool:
        """Whether there is anything to keep."""
        return any(
            one.kind == "table" and one.durable
            for role in self.declared.roles
            for one in role.program.collections
        )

    def _sum_up(self, statuses: Mapping[str, Any], seconds: float) -> None:
        counters = {name: one["counters"] for name, one in statuses.items()}
        for name, one in counters.items():
            for what in ("rows_refused", "rows_set_aside"):
                if one[what]:
                    self.wrong.append(f"{name}: {one[what]:,} {_SHOWN[what]}")
        if self.options.format == "json":
            summary = {"kind": "summary", "seconds": round(seconds, 3), "fed": self.fed}
            more = {"violations": self.violations, "wrong": self.wrong, "nodes": counters}
            print(json.dumps(summary | more, ensure_ascii=False), flush=True)
            return
        totals = {
            name: sum(one[name] for one in counters.values())
            for name in next(iter(counters.values()), {})
        }
        parts = [f"{seconds:.1f} s", f"{self.fed:,} rows fed"]
        shown: Iterable[str] = (key for key in _SHOWN if totals.get(key))
        parts += [f"{totals[key]:,} {_SHOWN[key]}" for key in shown]
        self._say(", ".join(parts))


async def _finish(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Cancel what still goes on; raise what went wrong in any."""
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome


_SHOWN = {
    "ticks": "ticks",
    "commits": "commits",
    "rows_in": "rows in",
    "rows_out": "rows out",
    "rows_refused": "rows refused",
    "frames_refused": "frames refused",
    "connections_refused": "connections refused",
    "rows_set_aside": "rows set aside",
    "rows_lost": "rows lost",
    "violations": "violations of invariants",
    "trace_records_lost": "trace records lost",
}

__all__ = ["BadOption", "Options", "run"]
