"""Insertion of atomic commit: messages of one trigger take effect at all their nodes, or at none.

What asks for it (4.6, 5): one trigger sends to several nodes (`legs.py`), and
at one of them the effect has a guard (`effects.py`), which vetoes.  Who sends
then submits the messages of a trigger together, as a transaction of
`programs/transactions.py`; a node votes by its own rules (`vote.py`), and these
read what is delivered.  Whatever else those rules must not meet unordered, such
as a deposit or a question about the balance, is a transaction of one part.

Not claimed: a broadcast to replicas, each of which does the same (an order
makes them agree), and a node that checks, then sends the rest itself (an order
at each node is enough).  `--with 2pc` has these done so as well: a write to all
replicas at once, or to none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import networkx as nx

from bloomish import ir
from bloomish.analysis.coordination.cut import by_a_timer, is_private, placement, still_open
from bloomish.analysis.coordination.data import Inserted, Insertion, LogKind, Price, Refusal
from bloomish.analysis.coordination.effects import Effects
from bloomish.analysis.coordination.legs import (
    Group,
    Leg,
    goes_to_several,
    groups,
    is_broadcast,
    rosters_of,
)
from bloomish.analysis.coordination.shard import key_columns
from bloomish.analysis.coordination.splice import (
    add,
    embed,
    free_path,
    label_of,
    lasting,
    made_of_logs,
    new_rules,
    reading,
    replace_rules,
    role_of,
    stated,
)
from bloomish.analysis.coordination.vote import TICKET, Voting
from bloomish.analysis.graph import System
from bloomish.analysis.inference import Inference, infer
from bloomish.analysis.result import Point, Report
from bloomish.cluster import CompiledCluster
from bloomish.ephemeral import is_volatile

TRANSACTIONS = "bloomish.programs.transactions"
ORIGIN = "coordination: atomic commit"
ANY = ir.Plain("Any")
LOCK = ir.Const("")
"""One lock for a node, where its rules cannot be kept apart by a key."""


def is_transaction(inference: Inference, report: Report, point: Point) -> bool:
    """Whether one trigger's messages to several nodes must take effect together."""
    system = inference.system
    claim = _claimed(system)
    if _is_leg(system, claim, point):
        return True
    if point.role not in claim.roles:
        return False
    heads = {unit.head for unit in system.stated(point.role, point.rule)}
    return any(
        nx.has_path(system.digraph, arriving, head)
        for arriving in (*claim.channels, *(node for _, node in claim.home))
        for head in heads
        if head in system.digraph
    )


def commits(
    given: CompiledCluster,
    inference: Inference,
    report: Report,
    points: Sequence[Point],
    log: LogKind = "paxos",
) -> Inserted:
    """Atomic commit for these points, which are those of a transaction, or forced to be one.

    To be explored (`log` is the contract), participants do not forget what was delivered when:
    by that, schedules that decided alike are told from those that did not.
    """
    system = inference.system
    claim = _claimed(system)
    entries = _entries(system, claim)
    wanted = [
        point
        for point in points
        if point.role not in claim.roles and not _is_leg(system, claim, point)
    ]
    uncut = ""
    for role in dict.fromkeys(point.role for point in wanted):
        rules = dict.fromkeys(point.rule for point in wanted if point.role == role)
        goals = [unit for rule in rules for unit in system.stated(role, rule)]
        cut = placement(inference, role, goals)
        entries |= {(role, node) for node in cut.entries}
        uncut = uncut or cut.uncut
    if not entries:
        why = "no channel and no input leads to it: there is nothing to be voted on"
        if uncut and system.nodes[uncut].kind == "periodic":
            why = by_a_timer(system.nodes[uncut].collection.name, "voted on")
        return Inserted(given, (), tuple(Refusal(p.id, p.rule, p.span, why) for p in points))
    while True:
        home = claim.home | _passed_on(system, claim, entries)
        work = _Work(given, system, sorted(entries), home, log == "contract")
        if work.refused:
            why = work.refused
            return Inserted(given, (), tuple(Refusal(p.id, p.rule, p.span, why) for p in points))
        made = work.carry_out()
        after = infer(System(made.deployment))
        found = still_open(after, work.participants)
        more = {(role, node) for role, node in found if node in system.nodes} - entries
        if not more:
            break
        entries |= more
    insertion = _insertion(given, made, work, points)
    # State that is made of what is delivered is as lasting as that it was delivered.
    for role in work.participants:
        made = lasting(made, role, made_of_logs(after, role))
    return Inserted(made, (insertion,))


# ---------------------------------------------------------------------- what asks for it


@dataclass(frozen=True, slots=True)
class _Claim:
    """The channels that transactions travel by, and the roles at which they take effect.

    `home`: (role, collection) of triggers that have an effect where they arrive, too.
    """

    channels: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    home: frozenset[tuple[str, str]] = frozenset()


@lru_cache(maxsize=1)  # asked for every point of one system
def _claimed(system: System) -> _Claim:
    if not system.closed:
        return _Claim()
    wires = {
        node.collection.wire
        for id, node in system.nodes.items()
        if node.kind == "channel" and not any(is_private(system, name, id) for name in system.roles)
    }
    channels: set[str] = set()
    roles: set[str] = set()
    home: set[tuple[str, str]] = set()
    for name, role in system.roles.items():
        for group in groups(name, role.program, wires):
            legs = {system.id(name, leg.rule.head) for leg in group.legs}
            at = {unit.role for leg in legs for unit in system.readers[leg]}
            apart = goes_to_several(role.program, group) or _to_roles(system, name, group)
            apart = apart and any(_vetoes(system, r, legs) for r in at)
            leaves = _leaves_home(role.program, group) and legs <= _changing(system, at)
            if apart or leaves:
                channels |= legs
                roles |= at
            if leaves:
                roles.add(name)
                home.add((name, system.id(name, group.trigger)))
    return _Claim(frozenset(channels), frozenset(roles), frozenset(home))


def _to_roles(system: System, name: str, group: Group) -> bool:
    """Whether a trigger's legs go to the nodes of several roles, each of which may refuse its
    own, or is changed by it."""
    found = {
        role
        for role, leg in rosters_of(system.program(name), group).items()
        for channel in (system.id(name, leg.rule.head),)
        if _vetoes(system, role, {channel}) or channel in _changing(system, [role])
    }
    return len(found) > 1


def _leaves_home(program: ir.Program, group: Group) -> bool:
    """Whether a trigger has an effect where it arrives, which may be vetoed there, while its
    messages leave all the same.  A node that checks and then sends has no such trigger."""
    kinds = {c.name: c.kind for c in program.collections}
    if kinds[group.trigger] not in ("input", "channel"):
        return False
    effects = Effects(program, frozenset({group.trigger}))
    vetoed = any(effects.is_guarded(rule) for rule in effects.by_entry(group.trigger))
    checked = any(effects.is_guarded(leg.rule) for leg in group.legs)
    return vetoed and not checked and not is_broadcast(program, group)


def _passed_on(
    system: System, claim: _Claim, entries: Collection[tuple[str, str]]
) -> frozenset[tuple[str, str]]:
    """Entries of which a node tells others as they come, without a look at its state: what they
    do there and what the messages do is one transaction."""
    wires = {
        system.nodes[node].collection.wire
        for _, node in entries
        if system.nodes[node].kind == "channel"
    }
    every = [g for name, role in system.roles.items() for g in groups(name, role.program, wires)]
    together = {  # channels of transactions that somebody else begins
        system.id(group.role, leg.rule.head)
        for group in every
        if is_broadcast(program := system.program(group.role), group)
        or goes_to_several(program, group)
        for leg in group.legs
    }
    found: set[tuple[str, str]] = set()
    for group in every:
        node = system.id(group.role, group.trigger)
        if (group.role, node) not in entries or node in together | claim.channels:
            continue
        effects = Effects(system.program(group.role), frozenset({group.trigger}))
        if system.nodes[node].kind in ("input", "channel"):
            if not any(effects.is_guarded(leg.rule) for leg in group.legs):
                found.add((group.role, node))
    return frozenset(found)


def _changing(system: System, roles: Iterable[str]) -> set[str]:
    """The channels by which messages overwrite or delete at some of the roles, or add to what
    guards there look at."""
    found: set[str] = set()
    for role in roles:
        program = system.program(role)
        names = [c.name for c in program.collections if c.kind == "channel"]
        effects = Effects(program, frozenset(names))
        for name in names:
            if any(
                rule.op in ("<+-", "<-") or rule.head in effects.watched
                for rule in effects.by_entry(name)
            ):
                found.add(system.id(role, name))
    return found


def _is_leg(system: System, claim: _Claim, point: Point) -> bool:
    """Whether a point is how a transaction's messages are sent, which commit does instead."""
    return any(unit.head in claim.channels for unit in system.stated(point.role, point.rule))


def _vetoes(system: System, role: str, channels: set[str]) -> bool:
    """Whether a role may refuse what comes by one of these channels."""
    program = system.program(role)
    names = [c.name for c in program.collections if system.id(role, c.name) in channels]
    effects = Effects(program, frozenset(names))
    return any(effects.is_guarded(rule) for name in names for rule in effects.by_entry(name))


def _entries(system: System, claim: _Claim) -> set[tuple[str, str]]:
    """(role, collection) of what arrives at the participants by these channels."""
    return {
        (unit.role, use.node)
        for channel in claim.channels
        for unit in system.readers[channel]
        for use in unit.positives
        if use.node == channel and unit.role in claim.roles
    } | claim.home


# ------------------------------------------------------------------------- carrying it out


@dataclass
class _Work:
    """One deployment with transactions put in, for these entries: (role, collection).

    Triggers at `home` are submitted where they arrive, whoever sent them.  `remembering`: nothing
    that was delivered is forgotten.
    """

    given: CompiledCluster
    system: System
    entries: Sequence[tuple[str, str]]
    home: frozenset[tuple[str, str]]
    remembering: bool

    def __post_init__(self) -> None:
        self.path = free_path(self.given, "commit")
        self.participants = [
            role.name
            for role in self.given.deployment.roles
            if any(name == role.name for name, _ in self.entries)
        ]
        self.keeper = self.participants[0]
        self.wires = {
            self.system.nodes[node].collection.wire
            for role, node in self.entries
            if self.system.nodes[node].kind == "channel" and not self._is_submitted(role, node)
        }
        self.groups = [
            group
            for role in self.given.deployment.roles
            for group in groups(role.name, role.program, self.wires)
        ]
        self.refused = self._refused()
        self.locks = self._locks()

    def _is_submitted(self, role: str, node: str) -> bool:
        """Whether what comes by an entry becomes a transaction where it arrives."""
        kind = self.system.nodes[node].kind
        return kind != "channel" or node in self.system.external or (role, node) in self.home

    def _locks(self) -> Mapping[str, int]:
        """The column by which what comes to a collection is kept apart, by label; nothing where
        some participant cannot."""
        found: dict[str, int] = {}
        for role in self.participants:
            entries = {entry.name: label_of(entry) for entry in self._at(role)}
            keys = key_columns(self.system.program(role), entries)
            for name, label in entries.items():
                if name not in keys or found.setdefault(label, keys[name]) != keys[name]:
                    return {}
        return found

    @property
    def gate(self) -> tuple[str, ...]:
        """The names of these columns."""
        names = {
            entry.columns[self.locks[label_of(entry)]].name: None
            for role in self.participants
            for entry in self._at(role)
            if self.locks
        }
        return tuple(names)

    def _refused(self) -> str:
        for _, node in self.entries:
            entry = self.system.nodes[node].collection
            if entry.kind == "periodic":
                return by_a_timer(entry.name, "voted on")
        for group in self.groups:
            for leg in group.legs:
                if any(isinstance(arg, ir.Aggregate) for arg in leg.rule.args):
                    return (
                        f"{leg.rule.name} sends a total of what shares a tick, which is no part "
                        "of one transaction"
                    )
        for name in self.participants:
            entries = frozenset(entry.name for entry in self._at(name))
            effects = Effects(self.system.program(name), entries)
            for rule in effects.deciding:
                if is_volatile(rule):
                    return (
                        f"{rule.name} goes by the clock or by chance: what it says when it is "
                        "asked it may not say when it is told"
                    )
        triggered = {leg.rule.name for group in self.groups for leg in group.legs}
        for role in self.given.deployment.roles:
            wires = {c.name: c.wire for c in role.program.collections if c.kind == "channel"}
            for rule in role.program.rules:
                if rule.op == "<~" and wires[rule.head] in self.wires:
                    if rule.name not in triggered:
                        return f"{rule.name} sends without anything that prompts it"
        return self._refused_to_pass_on()

    def _refused_to_pass_on(self) -> str:
        """A node's peers hear, in a transaction of their own, what a first one has done there."""
        for group in self.groups:
            role = group.role
            program = self.system.program(role)
            at_home = (role, self.system.id(role, group.trigger)) in self.home
            leg = rosters_of(program, group).get(role)
            if leg is None or at_home or role not in self.participants:
                continue
            effects = Effects(program, frozenset(entry.name for entry in self._at(role)))
            if group.trigger in effects.passing | {rule.head for rule in effects.changing}:
                return (
                    f"{leg.rule.name} tells the nodes of {role} what comes of "
                    f"{group.trigger} at one of them, which makes two transactions, and nodes may "
                    "come to different orders of these: send to all what comes in, as it comes"
                )
        return ""

    def carry_out(self) -> CompiledCluster:
        """The deployment with all of it."""
        deployed = self.given
        for role in self.participants:
            deployed = self._participate(deployed, role)
        for role in [role.name for role in deployed.deployment.roles]:
            deployed = self._submit(deployed, role)
        return deployed

    def _at(self, role: str) -> list[ir.Collection]:
        nodes = {node for name, node in self.entries if name == role}
        collections = self.system.program(role).collections
        return [c for c in collections if self.system.id(role, c.name) in nodes]

    # ------------------------------------------------------------------ participants

    def _participate(self, deployed: CompiledCluster, role: str) -> CompiledCluster:
        entries = self._at(role)
        voting = Voting(role_of(deployed, role).program, self.path, entries, ORIGIN)
        program = role_of(deployed, role).program
        changed = {rule.name: (reading(rule, voting.taken),) for rule in program.rules}
        deployed = replace_rules(deployed, role, changed)
        rosters = {"keeper": self.keeper}
        where = f"{TRANSACTIONS}:{'Keeper' if role == self.keeper else 'Participant'}"
        deployed = embed(deployed, role, self.path, where, rosters, ORIGIN)
        if role == self.keeper:
            deployed = self._members(deployed)
        if self.remembering:
            deployed = self._remember(deployed, role)
        return add(deployed, role, voting.collections, voting.rules)

    def _remember(self, deployed: CompiledCluster, role: str) -> CompiledCluster:
        """What was delivered and declined, by its ticket, for good."""
        ticket, part = ir.Var("ticket"), ir.Var("part")
        name = f"{self.path}.history"
        columns = (
            ir.Column("ticket", TICKET),
            ir.Column("part", ANY),
            ir.Column("taken", ir.Plain("bool")),
        )
        rules = [
            ir.Rule(
                f"{name}_{number}",
                name,
                (ticket, part, ir.Const(taken)),
                "<=",
                (ir.Atom(f"{self.path}.{source}", (ticket, part)),),
                ORIGIN,
            )
            for number, (source, taken) in enumerate((("deliver", True), ("declined", False)), 1)
        ]
        return add(deployed, role, [ir.Collection(name, "table", columns)], rules)

    def _members(self, deployed: CompiledCluster) -> CompiledCluster:
        """The coordinator knows who may take part."""
        node = ir.Var("node")
        columns = (ir.Column("node", ir.Plain("Address")),)
        collections, rules = [], []
        for role in self.participants[1:]:
            name = f"{self.path}.among_{role}"
            collections.append(ir.Collection(name, "roster", columns, role=role))
            head = f"{self.path}.members"
            atom = ir.Atom(name, (node,))
            rules.append(ir.Rule(f"{head}_{role}", head, (node,), "<=", (atom,), ORIGIN))
        return add(deployed, self.keeper, collections, rules)

    # -------------------------------------------------------------------- submitters

    def _submit(self, deployed: CompiledCluster, role: str) -> CompiledCluster:
        making = _Submissions(self.path, self.locks)
        program = role_of(deployed, role).program
        sent: set[str] = set()
        by_name = {rule.name: rule for rule in program.rules}
        arriving = {
            entry.name: entry
            for entry in (self._at(role) if role in self.participants else ())
            if self._is_submitted(role, self.system.id(role, entry.name))
        }
        for group in self.groups:
            if group.role == role:
                at_home = (role, self.system.id(role, group.trigger)) in self.home
                own = arriving.pop(group.trigger, None) if at_home else None
                # By now the rules of a participant read what is taken, but for what is at home.
                legs = group.legs if own else [self._renamed(leg, by_name) for leg in group.legs]
                making.group(replace(group, legs=tuple(legs)), program, own)
                sent |= {leg.rule.name for leg in group.legs}
        for entry in arriving.values():
            making.arriving(entry)
        if not making.rules:
            return deployed
        gone = {name: () for name in sent if not self._heard_elsewhere(by_name[name], program)}
        deployed = replace_rules(deployed, role, gone)
        where = f"{TRANSACTIONS}:Submitter"
        deployed = embed(deployed, role, self.path, where, {"keeper": self.keeper}, ORIGIN)
        return add(deployed, role, making.collections, making.rules)

    @staticmethod
    def _renamed(leg: Leg, rules: Mapping[str, ir.Rule]) -> Leg:
        now = rules[leg.rule.name]
        place = next(i for i, literal in enumerate(leg.rule.body) if literal is leg.trigger)
        trigger = now.body[place]
        assert isinstance(trigger, ir.Atom)
        return Leg(now, trigger)

    def _heard_elsewhere(self, rule: ir.Rule, program: ir.Program) -> bool:
        """Whether others than participants read the channel: they are sent to as before."""
        wire = next(c.wire for c in program.collections if c.name == rule.head)
        for role in self.given.deployment.roles:
            names = {c.name for c in role.program.collections if c.wire == wire}
            taking = {c.name for c in self._at(role.name)} if role.name in self.participants else ()
            for other in role.program.rules:
                for literal in other.body:
                    if isinstance(literal, ir.Atom) and literal.collection in names:
                        if literal.collection not in taking:
                            return True
        return False


class _Submissions:
    """Rules by which one role submits: for each trigger its parts, gathered."""

    def __init__(self, path: str, locks: Mapping[str, int]) -> None:
        self.path, self.locks = path, locks
        self.collections: list[ir.Collection] = []
        self.rules: list[ir.Rule] = []
        self.count = 0

    def group(self, group: Group, program: ir.Program, own: ir.Collection | None) -> None:
        """One transaction for all legs of a trigger, and for the trigger itself if it has an
        effect where it arrives."""
        self.count += 1
        part, gathered = f"{self.path}.part_{self.count}", f"{self.path}.parts_{self.count}"
        self._scratch(part, (ir.Column("tag", ANY), ir.Column("part", ANY)))
        self._scratch(gathered, (ir.Column("tag", ANY), ir.Column("parts", ANY)))
        for number, leg in enumerate(group.legs, 1):
            self._leg(group, leg, part, number, program)
        if own is not None:
            names, atom = self._row_of(own)
            whole = ir.TupleExpr((ir.Const(group.trigger), *atom.args))
            self._rule(part, (whole, self._part(own, ir.Here(), names)), (atom,))
        tag, one, parts = ir.Var("tag"), ir.Var("part"), ir.Var("parts")
        self._rule(gathered, (tag, ir.Aggregate("collect", one)), (ir.Atom(part, (tag, one)),))
        box = f"{self.path}.{'submit' if group.passing else 'keep'}"
        self._rule(box, (tag, parts), (ir.Atom(gathered, (tag, parts)),))

    def _leg(self, group: Group, leg: Leg, part: str, number: int, program: ir.Program) -> None:
        columns = tuple(
            ir.Var(f"trigger_{place}") if isinstance(arg, ir.Wild) else arg
            for place, arg in enumerate(leg.trigger.args)
        )
        tag = ir.TupleExpr((ir.Const(group.trigger), *columns))
        body = tuple(
            replace(leg.trigger, args=columns) if literal is leg.trigger else literal
            for literal in leg.rule.body
        )
        channel = next(c for c in program.collections if c.name == leg.rule.head)
        to, *row = [arg for arg in leg.rule.args if not isinstance(arg, ir.Aggregate)]
        if any(isinstance(arg, (ir.SetExpr, ir.MapExpr)) for arg in row):
            # Such a value needs a typed column to be what it is.
            name = f"{self.path}.sent_{self.count}_{number}"
            own = tuple(replace(column, key=False) for column in channel.columns)
            named = tuple(ir.Var(column.name) for column in own)
            self._scratch(name, (ir.Column("tag_", ANY), *own))
            self._rule(name, (tag, to, *row), body, leg.rule.span)
            tag_, body = ir.Var("tag_"), (ir.Atom(name, (ir.Var("tag_"), *named)),)
            self._rule(part, (tag_, self._part(channel, named[0], named[1:])), body)
            return
        self._rule(part, (tag, self._part(channel, to, row)), body, leg.rule.span)

    def arriving(self, entry: ir.Collection) -> None:
        """What comes from outside is a transaction of one part, for the node that it came to."""
        names, atom = self._row_of(entry)
        tag = ir.TupleExpr((ir.Const(label_of(entry)), *names))
        parts = ir.TupleExpr((self._part(entry, ir.Here(), names),))
        self._rule(f"{self.path}.submit", (tag, parts), (atom,))

    @staticmethod
    def _row_of(entry: ir.Collection) -> tuple[tuple[ir.Var, ...], ir.Atom]:
        """An entry's row without where it went, and the literal that reads all of it."""
        names = tuple(ir.Var(column.name) for column in entry.columns)
        return names[entry.kind == "channel" :], ir.Atom(entry.name, names)

    def _part(self, entry: ir.Collection, to: ir.Expr, row: Sequence[ir.Expr]) -> ir.TupleExpr:
        label = label_of(entry)
        place = self.locks.get(label, -1) - (entry.kind == "channel")
        lock = row[place] if label in self.locks else LOCK
        return ir.TupleExpr((to, ir.Const(label), ir.TupleExpr(tuple(row)), lock))

    def _scratch(self, name: str, columns: Sequence[ir.Column]) -> None:
        self.collections.append(ir.Collection(name, "scratch", tuple(columns)))

    def _rule(
        self,
        head: str,
        args: Sequence[ir.HeadArg],
        body: tuple[ir.Literal, ...],
        span: ir.Span | None = None,
    ) -> None:
        stated(self.rules, head, args, body, ORIGIN, span)


# ------------------------------------------------------------------------------ in the plan


def _insertion(
    given: CompiledCluster, made: CompiledCluster, work: _Work, points: Sequence[Point]
) -> Insertion:
    legs = [
        len(group.legs) + ((group.role, work.system.id(group.role, group.trigger)) in work.home)
        for group in work.groups
    ]
    nodes = max(legs, default=1)
    if nodes == 1:  # one rule sends to them all
        nodes = max(role_of(given, role).size for role in work.participants)
    channels = ", ".join(
        dict.fromkeys(work.system.nodes[node].collection.name for _, node in work.entries)
    )
    apart = f", one at a time for each {' or '.join(work.gate)}" if work.gate else ""
    return Insertion(
        "atomic commit",
        work.keeper,
        tuple(point.id for point in points),
        tuple(dict.fromkeys(point.rule for point in points)),
        tuple(dict.fromkeys(node for _, node in work.entries)),
        work.gate,
        f"two-phase commit for {channels}, coordinated by the first node of {work.keeper}{apart}",
        Price(
            4 * nodes + 2,
            "4n + 2 for n nodes: submission and answer; request, vote, decision and "
            "acknowledgement at each",
            2,
            "everything, while the coordinator is down; what a node has a part in, and what "
            "waits behind that, while that node is down",
        ),
        tuple(dict.fromkeys(new_rules(given, made))),
    )
