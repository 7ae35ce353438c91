"""The state space: what can happen next, from every state that can be reached.

A step takes any set of the messages that are under way to one node as one tick
of it, which covers delay, order and batching.  A duplicate is a message that
stays under way though it has been taken; a crash takes a node back to its
durable tables.  Timers may fire at any time.  Messages that a node keeps
sending (standing sends) can be taken as long as it does.  States are compared
without the ticks' numbers, so a program that retries for ever has finitely
many, and going round in them ends the search.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal, NamedTuple

from bloomish.runtime.ends import endings
from bloomish.runtime.sim.explore.reach import Place, Reach, alone
from bloomish.runtime.sim.explore.sites import (
    SET_ASIDE,
    Mailbag,
    Site,
    Violated,
    periodics,
    sites,
)
from bloomish.runtime.sim.stage import Stage
from bloomish.runtime.sim.workload import Insert

WIDEST = 6  # up to so many messages of a node, every subset is tried as a tick
SAMPLES, FURTHEST = 100, 300  # open states followed to an end, and how far
PAIRS = 2  # above that: subsets up to this size, and all together


@dataclass(frozen=True)
class Limits:
    """The bounds of an exploration, besides the inserts it is given."""

    states: int = 200_000
    duplicates: int = 1
    crashes: int = 0
    idle: int = 2
    reduce: bool = True
    step: Literal["tick", "action"] = "tick"
    stop_at_violation: bool = False
    trusted: frozenset[tuple[str, str]] = frozenset()
    """Collections of nodes whose messages need one order only, if verdicts are right (`trust`)."""


class State(NamedTuple):
    """Local states by number, messages under way as bits, and what is left of the budgets."""

    locals: tuple[int, ...]
    flying: int
    duplicates: int
    crashes: int
    idle: int


class Move(NamedTuple):
    """One step: a site takes messages (or crashes); `kept` of them stay under way."""

    site: int
    taken: tuple[int, ...]
    kept: tuple[int, ...] = ()
    crash: bool = False


@dataclass
class Space:
    """What has been explored: states by number, the moves between them."""

    stage: Stage
    limits: Limits
    sites: list[Site]
    bag: Mailbag
    states: list[State] = field(default_factory=list)
    came: list[tuple[int, Move] | None] = field(default_factory=list)
    # Where steps lead that happen sooner or later: faults and idle ticks are left out.
    edges: list[list[int]] = field(default_factory=list)
    violations: dict[Violated, list[Move]] = field(default_factory=dict)
    expanded: set[int] = field(default_factory=set)
    bounded: set[str] = field(default_factory=set)
    steps: int = 0

    def path(self, state: int) -> list[Move]:
        """The moves from the start to a state."""
        moves = []
        while (came := self.came[state]) is not None:
            state, move = came
            moves.append(move)
        return moves[::-1]

    def successor(
        self, state: State, move: Move
    ) -> tuple[State, tuple[int, ...], tuple[Violated, ...]]:
        """Where a move leads, what it sends, what it violates."""
        site = self.sites[move.site]
        local = state.locals[move.site]
        if move.crash:
            step = site.crash(local)
        else:
            step = site.step(local, move.taken)
        locals_ = (*state.locals[: move.site], step.local, *state.locals[move.site + 1 :])
        flying = state.flying
        if self.limits.step == "tick":
            for message in move.taken:
                if message not in move.kept:
                    flying &= ~(1 << message)
        for message in step.sent:
            flying |= 1 << message
        idle = not (move.taken or move.crash or site.locals[local].again)
        return (
            State(
                locals_,
                flying,
                state.duplicates - len(move.kept),
                state.crashes - move.crash,
                state.idle - idle,
            ),
            step.sent,
            step.violated,
        )


def explore(
    stage: Stage,
    inserts: Sequence[Insert],
    limits: Limits,
    seed: int = 0,
    which: str = "auto",
) -> Space:
    """Explores everything within the limits; `bounded` says which of them cut it short."""
    return Explorer(stage, inserts, limits, seed, which).run()


class Explorer:
    """Breadth first, so that the path to a state is a shortest one."""

    def __init__(
        self, stage: Stage, inserts: Sequence[Insert], limits: Limits, seed: int, which: str
    ) -> None:
        made, bag = sites(stage, seed, which, limits.step == "action")
        self.space = Space(stage, limits, made, bag)
        self.limits = limits
        self.reach = Reach(lambda message: bag.messages[message].site)
        self._cut: dict[int, int] = {}  # states of which one site alone was explored, so far
        self._cut_at = 0
        self.timers = tuple(bag.number(site, name, (1,)) for site, name in periodics(stage))
        self.volatile = any(site.volatile for site in made)
        # A crash tells the order of messages, and so does a tick that asks for its number.
        believes = not self.volatile and limits.crashes == 0 and limits.step == "tick"
        self._trusted = limits.trusted if believes else frozenset()
        numbers = {node: index for index, node in enumerate(stage.nodes)}
        self.inserts = tuple(
            bag.number(numbers[one.node], one.collection, row)
            for one in inserts
            for row in one.rows
        )
        inputs = {(member.node, c.name) for member, c in stage.collections("input")}
        self.given = frozenset(
            bag.number(numbers[one.node], one.collection, row)
            for one in inserts
            for row in one.rows
            if (one.node, one.collection) in inputs
        )
        """What a host inserts: it comes once, a channel's messages may come again."""
        last = {
            (member.node, ending.collection.name)
            for member in stage.members
            for ending in endings(member.program)
        }
        self.last = frozenset(
            number
            for number in self.given
            if (made[bag.messages[number].site].node, bag.messages[number].collection) in last
        )
        """What a host says when it has no more to insert: it comes after all that it inserts."""
        self._known: dict[State, int] = {}
        self._masks = [0] * len(made)
        self._masked = 0
        self._queue: deque[int] = deque()

    def run(self) -> Space:
        self._start()
        space = self.space
        while self._queue or self._uncut():
            if len(space.states) > self.limits.states:
                space.bounded.add(f"{self.limits.states:,} states")
                self._sample_ends()
                break
            if space.violations and self.limits.stop_at_violation:
                space.bounded.add("the first violation")
                break
            self._expand(self._queue.popleft())
        return space

    def _sample_ends(self) -> None:
        """Where the bound cut the search short: some of the open states are followed to
        an end, taking all messages at once, and one by one."""
        open_ = list(self._queue)
        for number in open_[:: max(1, len(open_) // SAMPLES)][:SAMPLES]:
            for whole in (True, False):
                self._follow(number, whole)

    def _follow(self, number: int, whole: bool) -> None:
        space = self.space
        for _ in range(FURTHEST):
            state = space.states[number]
            move = self._next_move(state, whole)
            if move is None:
                break
            after, _, violated = space.successor(state, move)
            for one in violated:
                if one not in space.violations:
                    space.violations[one] = [*space.path(number), move]
            number = self._number(after, (number, move))
        else:
            return
        if number not in space.expanded:
            space.expanded.add(number)
            available = [self._available(state, site) for site in space.sites]
            self._take_others(number, state, None, available)

    def _next_move(self, state: State, whole: bool) -> Move | None:
        for site in self.space.sites:
            local = site.locals[state.locals[site.index]]
            flying = set(_bits(state.flying & self._mask(site.index)))
            taken = tuple(sorted(flying.difference(self._held(state, site.index))))
            if taken and not local.dead:
                return Move(site.index, taken if whole else taken[:1])
            if local.again:
                return Move(site.index, ())
        return None

    def _uncut(self) -> bool:
        """When nothing is left to expand: cuts that rest on footprints that have grown
        since are checked again, and undone where they no longer hold."""
        if self._cut_at == self.reach.version:
            return False
        self._cut_at = self.reach.version
        for number, site in list(self._cut.items()):
            state = self.space.states[number]
            available = [self._available(state, one) for one in self.space.sites]
            if not self._undisturbed(state, site, available):
                del self._cut[number]
                self._take_others(number, state, site, available)
        return bool(self._queue) or self._uncut()

    def _start(self) -> None:
        flying = 0
        locals_ = []
        violated: list[Violated] = []
        for site in self.space.sites:
            step = site.boot()
            locals_.append(step.local)
            violated += step.violated
            for message in step.sent:
                flying |= 1 << message
        for message in self.inserts:
            flying |= 1 << message
        actions = self.limits.step == "action"
        idle = self.limits.idle if self.volatile and not actions else 0
        duplicates = 0 if actions else self.limits.duplicates
        state = State(tuple(locals_), flying, duplicates, self.limits.crashes, idle)
        number = self._number(state, None)
        self.space.violations |= {one: self.space.path(number) for one in violated}

    def _number(self, state: State, came: tuple[int, Move] | None) -> int:
        number = self._known.get(state)
        if number is None:
            space = self.space
            number = self._known[state] = len(space.states)
            space.states.append(state)
            space.came.append(came)
            space.edges.append([])
            self._queue.append(number)
        return number

    def _expand(self, number: int) -> None:
        state = self.space.states[number]
        self.space.expanded.add(number)
        if self._trusted and self._take_trusted(number, state):
            return
        available = [self._available(state, site) for site in self.space.sites]
        first = self._persistent(state, available) if self.limits.reduce else None
        before = len(self.space.states)
        if first is not None:
            self._take(number, state, self._moves(state, first, available[first]))
            # The way on must be new, or going round in a circle could put off the others for ever.
            if any(to >= before for to in self.space.edges[number]):
                self._cut[number] = first
                return
        self._take_others(number, state, first, available)

    def _take_trusted(self, number: int, state: State) -> bool:
        """One tick with all messages of a site that are trusted, in place of all other steps.

        Not where the site ticks anyway, which what it does besides would notice; not where a
        tick set rows aside; and the way on must be new, as for persistent sets.
        """
        for site in self.space.sites:
            local = site.locals[state.locals[site.index]]
            due = tuple(
                one for one in _bits(state.flying & self._mask(site.index)) if self._trusts(one)
            )
            if not due or local.again or local.dead:
                continue
            move = Move(site.index, due)
            after = site.locals[self.space.successor(state, move)[0].locals[site.index]]
            if any(name.startswith(SET_ASIDE) for name, _ in after.shown - local.shown):
                continue
            before = len(self.space.states)
            self._take(number, state, [move])
            if len(self.space.states) > before:
                return True
        return False

    def _trusts(self, number: int) -> bool:
        if not self._trusted:
            return False
        message = self.space.bag.messages[number]
        return (self.space.sites[message.site].node, message.collection) in self._trusted

    def _take_others(
        self, number: int, state: State, first: int | None, available: Sequence[tuple[int, ...]]
    ) -> None:
        for site in range(len(available)):
            if site != first:
                self._take(number, state, self._moves(state, site, available[site]))

    def _take(self, number: int, state: State, moves: Iterable[Move]) -> None:
        space = self.space
        for move in moves:
            space.steps += 1
            after, sent, violated = space.successor(state, move)
            if sent:
                self.reach.note(move.site, move.taken, sent)
            to = self._number(after, (number, move))
            chance = move.crash or move.kept or after.idle < state.idle
            if to != number and not chance:
                space.edges[number].append(to)
            for one in violated:
                if one not in space.violations:
                    space.violations[one] = [*space.path(number), move]

    # ----------------------------------------------------------- what can happen

    def _mask(self, site: int) -> int:
        """The bits of all messages to a site."""
        for number in range(self._masked, len(self.space.bag.messages)):
            self._masks[self.space.bag.messages[number].site] |= 1 << number
        self._masked = len(self.space.bag.messages)
        return self._masks[site]

    def _available(self, state: State, site: Site) -> tuple[int, ...]:
        """Messages that the site may take now, in the order of their numbers."""
        local = site.locals[state.locals[site.index]]
        if local.dead:
            return ()
        found = set(_bits(state.flying & self._mask(site.index)))
        found.difference_update(self._held(state, site.index))
        for other in self.space.sites:
            if other.has_standing:
                standing = other.locals[state.locals[other.index]].standing
                # What is trusted was under way once, and a second time would change nothing.
                found.update(
                    one
                    for one in standing
                    if self.space.bag.messages[one].site == site.index and not self._trusts(one)
                )
        found.update(
            timer for timer in self.timers if self.space.bag.messages[timer].site == site.index
        )
        return tuple(sorted(found))

    def _held(self, state: State, site: int) -> tuple[int, ...]:
        """What a host says last, while there is something of it that the node has yet to take."""
        if not self.last:
            return ()
        mine = [one for one in _bits(state.flying & self._mask(site)) if one in self.given]
        last = tuple(one for one in mine if one in self.last)
        return last if len(last) < len(mine) else ()

    def _moves(self, state: State, index: int, available: tuple[int, ...]) -> Iterator[Move]:
        site = self.space.sites[index]
        local = site.locals[state.locals[index]]
        if local.dead:
            return
        if local.again or state.idle > 0:
            yield Move(index, ())
        for taken in self._subsets(available):
            yield Move(index, taken)
            if state.duplicates > 0:
                for one in taken:
                    if state.flying >> one & 1 and one not in self.given:
                        yield Move(index, taken, (one,))
        if state.crashes > 0:
            yield Move(index, (), crash=True)

    def _subsets(self, available: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if self.limits.step == "action":
            yield from ((one,) for one in available)
            return
        most = len(available)
        if most > WIDEST:
            self.space.bounded.add(
                f"ticks of at most {PAIRS} messages, or all, where more than {WIDEST} can be taken"
            )
            yield available
            most = PAIRS
        for size in range(1, most + 1):
            yield from combinations(available, size)

    def _persistent(self, state: State, available: Sequence[tuple[int, ...]]) -> int | None:
        """A site whose next steps commute with all that can happen elsewhere meanwhile."""
        if self.limits.step == "action" or state.crashes > 0 or state.idle > 0:
            return None
        best: int | None = None
        for site, messages in enumerate(available):
            local = self.space.sites[site].locals[state.locals[site]]
            if not messages and not local.again:
                continue
            if best is not None and len(messages) >= len(available[best]):
                continue
            if self._undisturbed(state, site, available):
                best = site
        return best

    def _undisturbed(self, state: State, site: int, available: Sequence[tuple[int, ...]]) -> bool:
        acting: list[Place] = []
        busy: set[int] = set()
        for other, messages in enumerate(available):
            if other == site:
                continue
            if messages:
                busy.add(other)
                acting += (*messages, *self._held(state, other))
            if self.space.sites[other].locals[state.locals[other]].again:
                busy.add(other)
                acting.append(alone(other))
        reached = self.reach.sites(acting, site)
        if site in reached:
            return False
        # What another keeps sending here must not change while this site waits.
        return not any(
            self._stands_for(state, other, site) for other in busy | reached if other != site
        )

    def _stands_for(self, state: State, sender: int, receiver: int) -> bool:
        if not self.space.sites[sender].has_standing:
            return False
        standing = self.space.sites[sender].locals[state.locals[sender]].standing
        return any(self.space.bag.messages[one].site == receiver for one in standing)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
