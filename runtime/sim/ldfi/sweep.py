"""All faults within the bounds, tick by tick, equal states once: for what lineage cannot follow.

Where a program keeps lattices, calls functions or takes tuples apart, the lineage
of a row does not say which messages it needs.  Its nodes are then stepped
together, as in `forward`, through every choice of losses and crashes.  That ends,
because choices that make no difference are one: a receiver's tick is worked out
once for each set of arrivals, losses after which it does the same are dropped for
the fewest, and states that are equal at a tick go on as one.  What is certified
so is certified by going through it all.

A message sent at t arrives at t + 1 or never.  Every node ticks at every step,
timers fire at every step, and standing sends are sent again at every step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product

from bloomish.readers.dedalus.checks import CRASH
from bloomish.runtime.evaluator import Row, TickFailed
from bloomish.runtime.sim.actor import EPOCH
from bloomish.runtime.sim.explore.sites import Site, Violated, periodics, sites
from bloomish.runtime.sim.ldfi.faults import (
    Bounds,
    Crash,
    Fault,
    Faults,
    Omission,
    crash_times,
    losses,
)
from bloomish.runtime.sim.ldfi.verdict import POST, PRE, check_specification, vacuous
from bloomish.runtime.sim.stage import Stage
from bloomish.runtime.sim.workload import Insert

Goals = frozenset[tuple[str, str]]
"""Rows of `post` without faults: the node, and the row as text."""


Ending = tuple[tuple[str, tuple[str, ...]], ...]
"""What a node's judged collections hold at the end."""


@dataclass(frozen=True, slots=True)
class State:
    """All nodes after a tick: local states, what each has under way, who has crashed when."""

    locals: tuple[int, ...]
    flying: tuple[tuple[int, ...], ...]  # per sender, message numbers
    crashed: tuple[tuple[int, int], ...] = ()  # (node, tick)

    @property
    def down(self) -> frozenset[int]:
        return frozenset(site for site, _ in self.crashed)


@dataclass(frozen=True, slots=True)
class Move:
    """The faults of one step: losses as (sender, receiver) of the tick before, crashes now."""

    lost: tuple[tuple[int, int], ...] = ()
    crashes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """One tick of a run, for people: what was sent by whom to whom, and whether it came."""

    time: int
    sent: tuple[tuple[str, str, str, Row, bool], ...]  # from, to, collection, row, arrives


@dataclass
class Swept:
    """What was found: nothing (`complete`: and there is nothing), or faults that break it."""

    bounds: Bounds
    checks: tuple[str, ...]
    states: int = 0
    complete: bool = True
    faults: Faults | None = None
    broken: tuple[str, ...] = ()
    moments: tuple[Moment, ...] = ()
    warnings: tuple[str, ...] = ()


def sweep(
    stage: Stage,
    inserts: Sequence[Insert],
    bounds: Bounds,
    limit: int | None = None,
    which: str = "auto",
) -> Swept:
    """Goes through all faults of a stage within the bounds, or `limit` states of it."""
    return _Sweep(stage, inserts, bounds, limit, which).run()


def judged_by(stage: Stage) -> tuple[str, ...]:
    """What a run is judged by: collections of the stage, `post` for it and `pre`.

    Raises ProgramError where these two cannot be compared.
    """
    found = dict.fromkeys(c.name for _, c in stage.collections("invariant", "eventually"))
    known: set[str] = set()
    for member in stage.members:
        names = {c.name for c in member.program.collections} & {PRE, POST}
        if len(names) == 2:
            check_specification(member.program)
        known |= names
    return (*found, *((POST,) if len(known) == 2 else ()))


@dataclass
class _Sweep:
    stage: Stage
    inserts: Sequence[Insert]
    bounds: Bounds
    limit: int | None
    which: str
    sites: list[Site] = field(default_factory=list)
    goals: Goals = frozenset()

    def __post_init__(self) -> None:
        self.sites, self.bag = sites(self.stage, which=self.which)
        self.names = tuple(site.node for site in self.sites)
        self.inputs = [
            {c.name for c in site.member.program.collections if c.kind == "input"}
            for site in self.sites
        ]
        self.judged = [
            [
                c.name
                for c in site.member.program.collections
                if c.kind == "eventually" or c.name in (PRE, POST)
            ]
            for site in self.sites
        ]
        self.numbers: dict[tuple[int, Ending], int] = {}
        self.endings: dict[int, dict[str, tuple[str, ...]]] = {}
        self.timers: dict[int, list[int]] = {}
        for site, name in periodics(self.stage):
            self.timers.setdefault(site, []).append(self.bag.number(site, name, (1,)))
        self.given: dict[int, list[int]] = {}
        for one in self.inserts:
            if one.collection == CRASH:
                continue
            site = self.names.index(one.node)
            for row in one.rows:
                self.given.setdefault(site, []).append(self.bag.number(site, one.collection, row))

    def run(self) -> Swept:
        swept = Swept(self.bounds, judged_by(self.stage))
        good = self.replay(frozenset())[-1]
        self.goals = self.rows(good, POST)
        if POST in swept.checks and (why := vacuous(self.goals, self.rows(good, PRE))):
            swept.warnings = (why,)
        start = State(tuple(-1 for _ in self.sites), tuple(() for _ in self.sites))
        levels: list[dict[State, tuple[State, Move] | None]] = [{start: None}]
        for time in range(1, self.bounds.eot + 1):
            level: dict[State, tuple[State, Move] | None] = {}
            for state in levels[-1]:
                swept.states += 1
                if self.limit is not None and swept.states > self.limit:
                    swept.complete = False
                    return swept
                for move, after, violated in self.successors(state, time):
                    if violated or (time == self.bounds.eot and self.failing(after)):
                        self.told(swept, self.faults_to(levels, state, move, time))
                        return swept
                    level.setdefault(after, (state, move))
            levels.append(level)
        return swept

    # ---------------------------------------------------------------- one step

    def successors(
        self, state: State, time: int
    ) -> Iterator[tuple[Move, State, tuple[Violated, ...]]]:
        """All that may come of a state at the next tick, each with the fewest losses."""
        options = [self.ticks(state, site, time) for site in range(len(self.sites))]
        for chosen in product(*options):
            lost = tuple(pair for losses, _, _ in chosen for pair in losses)
            violated = tuple(v for _, _, broken in chosen for v in broken)
            locals_ = tuple(local for _, (local, _), _ in chosen)
            flying = tuple(sent for _, (_, sent), _ in chosen)
            for crashes in self.crashes(state):
                yield (
                    Move(lost, crashes),
                    self.after(state, locals_, flying, crashes, time),
                    violated,
                )

    @staticmethod
    def after(
        before: State,
        locals_: tuple[int, ...],
        flying: Sequence[tuple[int, ...]],
        crashes: Iterable[int],
        time: int,
    ) -> State:
        """The state in which these have crashed as well; who has crashed sends nothing."""
        crashed = tuple(sorted((*before.crashed, *((site, time) for site in crashes))))
        down = {site for site, _ in crashed}
        under_way = tuple(() if site in down else sent for site, sent in enumerate(flying))
        return State(locals_, under_way, crashed)

    def crashes(self, state: State) -> Iterator[tuple[int, ...]]:
        up = [site for site in range(len(self.sites)) if site not in state.down]
        for count in range(self.bounds.crashes - len(state.crashed) + 1):
            yield from combinations(up, count)

    def ticks(
        self, state: State, receiver: int, time: int
    ) -> list[
        tuple[tuple[tuple[int, int], ...], tuple[int, tuple[int, ...]], tuple[Violated, ...]]
    ]:
        """What a node may do at this tick: losses, its state and sends, what is violated."""
        if self.bounds.mode == "frozen" and receiver in state.down:
            return [((), (state.locals[receiver], ()), ())]
        arriving = {
            sender: tuple(m for m in messages if self.bag.messages[m].site == receiver)
            for sender, messages in enumerate(state.flying)
        }
        losable = [s for s, found in arriving.items() if found and s != receiver]
        if time - 1 >= self.bounds.eff:
            losable = []
        found: dict[tuple[int, tuple[int, ...], tuple[Violated, ...]], tuple[int, ...]] = {}
        for count in range(len(losable) + 1):
            for lost in combinations(losable, count):
                came = {m for s, some in arriving.items() if s not in lost for m in some}
                found.setdefault(self.tick(state, receiver, came, time), lost)
        return [
            (tuple((sender, receiver) for sender in lost), (local, sent), violated)
            for (local, sent, violated), lost in found.items()
        ]

    def tick(
        self, state: State, receiver: int, came: set[int], time: int
    ) -> tuple[int, tuple[int, ...], tuple[Violated, ...]]:
        """One tick of one node; what it sends for good is sent again."""
        site, local = self.sites[receiver], state.locals[receiver]
        violated: tuple[Violated, ...] = ()
        sent: tuple[int, ...] = ()
        if time == 1:
            first = site.boot()
            local, sent, violated = first.local, first.sent, first.violated
            came = {*came, *self.given.get(receiver, ())}
        if site.locals[local].dead:
            return local, (), violated
        told = self.told_of(receiver, state)
        arrivals = tuple(sorted({*came, *told, *self.timers.get(receiver, ())}))
        step = site.step(local, arrivals)
        if time == self.bounds.eot:
            return self.ended(receiver, local, arrivals), (), (*violated, *step.violated)
        out = {*sent, *step.sent, *site.locals[step.local].standing}
        return step.local, tuple(sorted(out)), (*violated, *step.violated)

    def told_of(self, site: int, state: State) -> Iterator[int]:
        """Rows of a host's input `crash(node, time)`, by which a specification knows."""
        if CRASH in self.inputs[site]:
            for node, time in state.crashed:
                yield self.bag.number(site, CRASH, (self.names[node], time))

    # ------------------------------------------------------------------ the end

    def ended(self, receiver: int, local: int, arrivals: tuple[int, ...]) -> int:
        """The last tick once more, for what is judged at its end; a number for the result.

        What a view says may hang on rows that share its tick and that no state keeps.
        """
        site = self.sites[receiver]
        site.evaluator.restore(site.locals[local].snapshot)
        messages = (self.bag.messages[number] for number in arrivals)
        site.evaluator.set_arrivals([(m.collection, m.row) for m in messages])
        try:
            site.evaluator.tick(EPOCH + site.locals[local].number)
        except TickFailed:
            return local  # told as a violation
        ending = tuple(
            (name, tuple(map(str, site.evaluator.contents(name)))) for name in self.judged[receiver]
        )
        number = self.numbers.setdefault((receiver, ending), len(self.numbers))
        self.endings[-2 - number] = dict(ending)
        return -2 - number

    def failing(self, state: State) -> bool:
        return bool(self.missing(state))

    def missing(self, state: State) -> list[str]:
        """What should hold at the end of a run and does not."""
        found = []
        for number, site in enumerate(self.sites):
            contents = self.endings.get(state.locals[number])
            if contents is None or number in state.down:
                continue
            for collection in site.member.program.collections:
                if collection.kind == "eventually" and not contents[collection.name]:
                    found.append(f"{collection.name} is empty at {site.node}")
        pre = self.rows(state, PRE)
        found += (
            f"{POST}{row} at {node}"
            for node, row in sorted(self.goals - self.rows(state, POST))
            if (node, row) in pre
        )
        return found

    def rows(self, state: State, collection: str) -> Goals:
        return frozenset(
            (site.node, row)
            for number, site in enumerate(self.sites)
            for row in self.endings.get(state.locals[number], {}).get(collection, ())
        )

    # ------------------------------------------------------------ counterexamples

    def faults_to(
        self,
        levels: Sequence[dict[State, tuple[State, Move] | None]],
        state: State,
        move: Move,
        time: int,
    ) -> Faults:
        """The faults on the way to a state, and of the move from it."""
        faults: list[Fault] = []
        came: tuple[State, Move] | None = (state, move)
        at = time
        while came is not None:
            before, step = came
            faults += (
                Omission(self.names[sender], self.names[receiver], at - 1)
                for sender, receiver in step.lost
            )
            faults += (Crash(self.names[site], at) for site in step.crashes)
            at -= 1
            came = levels[at][before]
        return frozenset(faults)

    def told(self, swept: Swept, faults: Faults) -> None:
        """The least of these faults that still break it, and how it goes."""
        for fault in sorted(faults, key=str):
            fewer = faults - {fault}
            if self.broken(fewer):
                faults = fewer
        swept.faults, swept.complete = faults, False
        swept.broken = tuple(self.broken(faults))
        swept.moments = tuple(self.moments(faults))

    def broken(self, faults: Faults) -> list[str]:
        violated: list[Violated] = []
        states = self.replay(faults, violated)
        found = list(dict.fromkeys(map(str, violated)))
        return found or (self.missing(states[-1]) if len(states) > self.bounds.eot else [])

    def replay(self, faults: Faults, violated: list[Violated] | None = None) -> list[State]:
        """The states of one run, the first before any tick."""
        lost = losses(faults)
        crashes = crash_times(faults)
        states = [State(tuple(-1 for _ in self.sites), tuple(() for _ in self.sites))]
        for time in range(1, self.bounds.eot + 1):
            before = states[-1]
            locals_: list[int] = []
            flying: list[tuple[int, ...]] = []
            for receiver, site in enumerate(self.sites):
                if self.bounds.mode == "frozen" and receiver in before.down:
                    locals_.append(before.locals[receiver])
                    flying.append(())
                    continue
                came = {
                    m
                    for sender, messages in enumerate(before.flying)
                    for m in messages
                    if self.bag.messages[m].site == receiver
                    and (self.names[sender], site.node, time - 1) not in lost
                }
                local, sent, broken = self.tick(before, receiver, came, time)
                if violated is not None:
                    violated += broken
                locals_.append(local)
                flying.append(sent)
            now = [n for n, name in enumerate(self.names) if crashes.get(name) == time]
            states.append(self.after(before, tuple(locals_), flying, now, time))
        return states

    def moments(self, faults: Faults) -> Iterator[Moment]:
        """What was under way at every tick of a run."""
        lost = losses(faults)
        for time, state in enumerate(self.replay(faults)):
            sent = []
            for sender, messages in enumerate(state.flying):
                for message in map(self.bag.messages.__getitem__, messages):
                    to = self.names[message.site]
                    arrives = (self.names[sender], to, time) not in lost
                    sent.append((self.names[sender], to, message.collection, message.row, arrives))
            if sent:
                yield Moment(time, tuple(sent))
