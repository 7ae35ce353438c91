"""The other end of a log: who sent to an entry submits commands instead.

A rule that sends to every node of the ordered role (its address is a variable
of the role's roster and of nothing else) submits its row once, for all.  Any
other rule's rows are collected by destination, so that one message to several
nodes is one command that names them.  What came from outside, by an input, a
timer or a channel on which nobody here sends, is submitted where it arrives; what
a node tells the others because of it, goes with it (`passing.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from bloomish import ir
from bloomish.analysis.coordination.passing import PassedOn, keeps_its_key, passed_on
from bloomish.analysis.coordination.splice import (
    add,
    embed,
    knowing,
    label_of,
    replace_rules,
    role_of,
)
from bloomish.analysis.expressions import terms_of, variables_of
from bloomish.cluster import CompiledCluster
from bloomish.ephemeral import is_ephemeral

SHARD_OF = "bloomish.programs.sharding:shard_of"
ADDRESSED = "@"
"""Behind the label of a command that ends with the tuple of the nodes it is for."""


@dataclass(slots=True)
class Sending:
    """Who submits, in which forms the commands of each entry come, and the rules that take
    rows from outside, which alone go on reading the entries themselves.

    The ordered role itself gets no outbox here: what keeps its log submits, too.
    """

    deployed: CompiledCluster
    submitters: list[str] = field(default_factory=list)
    forms: dict[str, set[str]] = field(default_factory=dict)
    arriving: set[str] = field(default_factory=set)
    passed: list[tuple[Entry, Entry, PassedOn]] = field(default_factory=list)
    """What is told, the entry that prompts it, and the rule: no command of its own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A collection at which the graph is cut: its name at the role and in the graph.

    `key`: the columns by whose values its commands are spread over several logs.
    """

    node: str
    collection: ir.Collection
    from_outside: bool
    key: tuple[int, ...] = ()


def send_to_logs(
    deployed: CompiledCluster,
    ordered: str,
    paths: Sequence[str],
    entries: Sequence[Entry],
    outbox: str,
    origin: str,
) -> Sending:
    """All senders' rules for these entries of the role `ordered`, turned into submissions to
    the one log, or each to one of the logs, under `paths`."""
    sending = Sending(deployed)
    roles = [
        _Role(sending, role.name, ordered, tuple(paths), outbox, origin)
        for role in deployed.deployment.roles
    ]
    for_one = [
        entry
        for entry in entries
        if entry.collection.kind == "input"
        or (entry.collection.kind == "channel" and not entry.from_outside)
        and not any(role.tells_all(entry) for role in roles)
    ]
    for role in roles:
        role.submit(entries, for_one)
    return sending


def in_shard(key: Sequence[ir.Expr], number: int, shards: int) -> tuple[ir.Literal, ...]:
    """The condition that a key belongs to one of several logs; none where there is one."""
    if shards == 1:
        return ()
    which = ir.Call("shard_of", (ir.TupleExpr(tuple(key)), ir.Const(shards)))
    return (ir.Condition(ir.Binary("==", which, ir.Const(number))),)


class _Role:
    """The rules of one role that send to entries of the ordered role."""

    def __init__(
        self,
        sending: Sending,
        name: str,
        ordered: str,
        paths: tuple[str, ...],
        outbox: str,
        origin: str,
    ) -> None:
        self.sending = sending
        self.name, self.ordered, self.paths, self.path = name, ordered, paths, paths[0]
        self.outbox, self.origin = outbox, origin
        self.program = role_of(sending.deployed, name).program
        self.collections: list[ir.Collection] = []
        self.rules: list[ir.Rule] = []
        self.changed: dict[str, list[ir.Rule]] = {}
        self.for_one: Sequence[Entry] = ()

    def tells_all(self, entry: Entry) -> bool:
        """Whether this role sends rows of an entry that are for all nodes of the ordered role."""
        return any(self._broadcast(rule) is not None for rule in self._sending(entry))

    def submit(self, entries: Sequence[Entry], for_one: Sequence[Entry]) -> None:
        """The rules for these entries; rows of `for_one` go to the nodes that they name."""
        self.for_one = for_one
        for entry in entries:
            if entry.collection.kind == "channel" and not entry.from_outside:
                self._sent(entry)
            elif self.name == self.ordered:
                self._arriving(entry)
        sending = self.sending
        sending.deployed = replace_rules(sending.deployed, self.name, self.changed)
        if not self.rules:
            return
        for path in self.paths if self.name != self.ordered else ():
            sending.deployed = embed(
                sending.deployed,
                self.name,
                path,
                self.outbox,
                {"replica": self.ordered},
                self.origin,
            )
        if len(self.paths) > 1:
            sending.deployed = knowing(sending.deployed, self.name, SHARD_OF)
        sending.deployed = add(sending.deployed, self.name, self.collections, self.rules)
        sending.submitters.append(self.name)

    # ------------------------------------------------------------- what arrives

    def _arriving(self, entry: Entry) -> None:
        """Rows from outside: an input's are for the node they came to, others for all nodes.  A
        timer that fires at one node prompts them all: what replicas do at a timer of their own,
        each does at another place in the log."""
        collection, known = entry.collection, len(self.rules)
        variables = tuple(ir.Var(column.name) for column in collection.columns)
        alone = collection.kind == "input"
        sent = collection.kind == "channel"
        row: tuple[ir.Expr, ...] = (ir.Wild(), *variables[1:]) if sent else variables
        items = variables[1:] if sent else variables
        here = ir.TupleExpr((ir.Here(),))
        self._command(
            entry,
            "submit",
            items,
            here if alone else None,
            (ir.Atom(collection.name, row),),
        )
        self.sending.arriving.update(rule.name for rule in self.rules[known:])

    # ---------------------------------------------------------------- what is sent

    def _sent(self, entry: Entry) -> None:
        for rule in self._sending(entry):
            self._turn(entry, rule)

    def _sending(self, entry: Entry) -> Iterable[ir.Rule]:
        """The rules by which this role sends rows of an entry."""
        wire = entry.collection.wire
        own = {c.name for c in self.program.collections if c.kind == "channel" and c.wire == wire}
        return (r for r in self.program.rules if r.op == "<~" and r.head in own)

    def _turn(self, entry: Entry, rule: ir.Rule) -> None:
        """One sending rule."""
        box = "submit" if is_ephemeral(self.program, rule) else "keep"
        self.changed[rule.name] = [rule] if self._read_elsewhere(entry) else []
        if self._passed_on(entry, rule):
            return
        literal = self._broadcast(rule)
        flat = f"{entry.collection.name.replace('.', '_')}_{len(self.rules) + 1}"
        columns = entry.collection.columns
        if literal is not None:
            body = tuple(part for part in rule.body if part is not literal)
            if not any(_is_lifted(arg) for arg in rule.args[1:]):
                self._command(entry, box, rule.args[1:], None, body, rule.span)
                return
            name = f"{self.path}.sent_{flat}"
            self._scratch(name, columns[1:])
            self._add(name, rule.args[1:], body, rule.span)
            names = tuple(ir.Var(column.name) for column in columns[1:])
            self._command(entry, box, names, None, (ir.Atom(name, names),), rule.span)
            return
        name, gathered = f"{self.path}.sent_{flat}", f"{self.path}.nodes_{flat}"
        node, nodes = ir.Var("node_"), ir.Var("nodes_")
        names = tuple(ir.Var(column.name) for column in columns[1:])
        address = ir.Plain("Address")
        self._scratch(name, (ir.Column("node_", address), *columns[1:]))
        self._add(name, rule.args, rule.body, rule.span)
        self._scratch(gathered, (ir.Column("nodes_", ir.Plain("Any")), *columns[1:]))
        self._add(
            gathered, (ir.Aggregate("collect", node), *names), (ir.Atom(name, (node, *names)),)
        )
        self._command(entry, box, names, nodes, (ir.Atom(gathered, (nodes, *names)),), rule.span)

    def _passed_on(self, entry: Entry, rule: ir.Rule) -> bool:
        """Whether the command of another entry's row brings what the rule sends because of it."""
        prompts = {one.collection.name: one for one in self.for_one if self.name == self.ordered}
        found = passed_on(self.program, rule, self.ordered, prompts)
        if found is None:
            return False
        prompt = prompts[found.trigger.collection]
        if not keeps_its_key(found, prompt.key, entry.key):
            return False
        self.sending.passed.append((entry, prompt, found))
        return True

    def _broadcast(self, rule: ir.Rule) -> ir.Atom | None:
        """The roster literal by which a rule sends to all nodes of the ordered role."""
        to = rule.args[0]
        if not isinstance(to, ir.Var) or any(isinstance(a, ir.Aggregate) for a in rule.args):
            return None
        kinds = {c.name: c for c in self.program.collections}
        found = [
            part
            for part in rule.body
            if isinstance(part, ir.Atom)
            and not part.negated
            and kinds[part.collection].kind == "roster"
            and kinds[part.collection].role == self.ordered
            and part.args == (to,)
        ]
        rest = [part for part in rule.body if part not in found]
        used = [*rule.args[1:], *(expr for part in rest for expr in terms_of(part))]
        alone = not any(to.name in variables_of(expr) for expr in used)
        positive = any(isinstance(part, ir.Atom) and not part.negated for part in rest)
        return found[0] if len(found) == 1 and alone and positive else None

    def _read_elsewhere(self, entry: Entry) -> bool:
        """Whether another role reads the channel too: it is then sent as before, beside."""
        for role in self.sending.deployed.deployment.roles:
            if role.name == self.ordered:
                continue
            names = {c.name for c in role.program.collections if c.wire == entry.collection.wire}
            if any(
                isinstance(part, ir.Atom) and part.collection in names
                for rule in role.program.rules
                for part in rule.body
            ):
                return True
        return False

    # --------------------------------------------------------------- making rules

    def _command(
        self,
        entry: Entry,
        box: str,
        items: Sequence[ir.HeadArg],
        nodes: ir.Expr | None,
        body: tuple[ir.Literal, ...],
        span: ir.Span | None = None,
    ) -> None:
        form = ADDRESSED if nodes is not None else ""
        self.sending.forms.setdefault(entry.collection.name, set()).add(form)
        label = ir.Const(label_of(entry.collection) + form)
        inside = tuple(item for item in items if not isinstance(item, ir.Aggregate))
        command = ir.TupleExpr((label, *inside, *((nodes,) if nodes is not None else ())))
        address = len(entry.collection.columns) - len(inside)
        key = [inside[place - address] for place in entry.key]
        for number, path in enumerate(self.paths):
            chosen = in_shard(key, number, len(self.paths))
            self._add(f"{path}.{box}", (command,), (*body, *chosen), span)

    def _scratch(self, name: str, columns: Sequence[ir.Column]) -> None:
        plain = tuple(replace(column, key=False) for column in columns)
        self.collections.append(ir.Collection(name, "scratch", plain))

    def _add(
        self,
        head: str,
        args: Sequence[ir.HeadArg],
        body: tuple[ir.Literal, ...],
        span: ir.Span | None = None,
    ) -> None:
        path, _, flat = head.partition(".")
        name = f"{path}.send_{flat}_{len(self.rules) + 1}"
        self.rules.append(
            ir.Rule(name, head, tuple(args), "<=", body, self.origin, span or ir.Span())
        )


def _is_lifted(arg: ir.HeadArg) -> bool:
    """Whether an argument needs its column to be what it is: a set, a map, an aggregate."""
    return isinstance(arg, (ir.Aggregate, ir.SetExpr, ir.MapExpr))
