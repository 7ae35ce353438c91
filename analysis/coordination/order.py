"""Insertion of an order: what arrives at a role goes through one log, one row per tick.

Where the graph is cut (`cut.py`), a row is not taken as it comes.  Whoever
sends it submits it as a command, ("entry", column, column, ...), to the log of
the role's nodes; each node delivers command after command, one per tick, to
the rules that read the channel before.  A command for some of the nodes only
ends with the tuple of these.  All rules that read an entry read what is
delivered, since what one message does, it does in one tick.  Every schedule of
the result is one of the program as it was, with one message per tick.

State made of delivered rows alone is a function of the log (state-machine
replication, Schneider 1990), so it is durable together with the log, and is
carried by the log's images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import networkx as nx

from bloomish import ir
from bloomish.analysis.coordination.cut import by_a_timer, is_private, placement, still_open
from bloomish.analysis.coordination.data import (
    Inserted,
    Insertion,
    LogKind,
    Mechanism,
    Price,
    Refusal,
)
from bloomish.analysis.coordination.keys import Shard, key_of
from bloomish.analysis.coordination.senders import (
    ADDRESSED,
    SHARD_OF,
    Entry,
    Sending,
    in_shard,
    send_to_logs,
)
from bloomish.analysis.coordination.splice import (
    add,
    embed,
    free_path,
    knowing,
    label_of,
    lasting,
    made_of_logs,
    new_rules,
    reading,
    replace_rules,
    role_of,
)
from bloomish.analysis.graph import System, Unit
from bloomish.analysis.inference import Inference, infer
from bloomish.analysis.points import PointKind
from bloomish.analysis.result import Point, Report
from bloomish.analysis.verdict import conclude
from bloomish.cluster import CompiledCluster

ORDERING = "bloomish.programs.ordering"
CONTRACT = "bloomish.programs.ordering_contract"
ORIGIN = "coordination: order"
NO_KEY = Shard((), ())
NODE = ir.Var("node")


@dataclass(frozen=True, slots=True)
class Log:
    """What keeps the log of a role's nodes, and who submits to it how."""

    module: str
    keeper: str
    outbox: str
    mechanism: Mechanism
    price: Price
    what: str


def log_for(nodes: int, kind: LogKind) -> Log:
    """A single node orders what comes to it by itself; several need consensus."""
    minority = (nodes - 1) // 2
    alone = Price(
        2, "2: submission and acknowledgement", 1, "everything, while the one node is down"
    )
    several = Price(
        2 + 3 * (nodes - 1),
        "2 + 3(n - 1): submission, acknowledgement; accept, vote, decision for each other node",
        2,
        f"nothing, while no more than {minority} of {nodes} nodes are down; beyond that all that "
        "reads or writes this state, until a majority is back",
    )
    mechanism: Mechanism = "local order" if nodes == 1 else "consensus"
    price = alone if nodes == 1 else several
    if kind == "contract":
        return Log(CONTRACT, "Agreed", "AgreedOutbox", mechanism, price, "one log, by its contract")
    if nodes == 1 or kind == "sequencer":
        return Log(ORDERING, "Sequenced", "Outbox", mechanism, price, "one log, at the one node")
    what = f"one log of Multi-Paxos, {nodes} replicas"
    return Log(ORDERING, "Replicated", "DetectingOutbox", mechanism, price, what)


def orders(
    given: CompiledCluster,
    inference: Inference,
    report: Report,
    points: Sequence[Point],
    log: LogKind = "paxos",
    shards: int = 1,
) -> Inserted:
    """A log for every role that has some of these points of order; several for each, split by
    the gate's columns, where these are asked for and the rules allow it."""
    deployed = given
    insertions: list[Insertion] = []
    refusals: list[Refusal] = []
    for role, (mine, goals) in _by_role(inference, points).items():
        made = _order(deployed, inference, role, mine, goals, log, shards)
        if open := _left_open(made, inference, role, mine):
            # What each node decides by itself is no reason for a log, nor is what it reads.
            rest = [point for point in mine if point not in open]
            refusals += (_refused(point, inference, goals, "") for point in open)
            made = Inserted(deployed)
            if rest:
                _, goals = _by_role(inference, rest)[role]
                made = _order(deployed, inference, role, rest, goals, log, shards)
        deployed = made.deployed
        insertions += made.insertions
        refusals += made.refusals
    return Inserted(deployed, tuple(insertions), tuple(refusals))


def _left_open(
    made: Inserted, inference: Inference, role: str, points: Sequence[Point]
) -> list[Point]:
    """Points that an inserted log leaves open, as each node asks a clock of its own, or acts at a
    tick of its own."""
    asking = [
        point
        for point in points
        if point.role == role and (_asks_the_clock(inference, point) or _steps(inference, point))
    ]
    if not made.insertions or not asking:
        return []
    report = conclude(infer(System(made.deployed.deployment)), {})
    left = {(point.role, point.rule) for point in report.unguarded}
    return [point for point in asking if (point.role, point.rule) in left]


def _by_role(
    inference: Inference, points: Sequence[Point]
) -> dict[str, tuple[list[Point], list[Unit]]]:
    """Points by the role where order has to come in, with the rules before which it has to.

    What a clock has a say in when it is sent is settled where it arrives.
    """
    system = inference.system
    found: dict[str, tuple[list[Point], list[Unit]]] = {}
    for point in points:
        units = system.stated(point.role, point.rule)
        if point.kind == PointKind.CLOCK.value:
            sent = {unit.head for unit in units if unit.op == "<~"}
            units = [reader for node in sent for reader in system.readers[node]] or units
        for unit in units:
            mine, goals = found.setdefault(unit.role, ([], []))
            goals.append(unit)
            if point not in mine:
                mine.append(point)
    return found


def _order(
    given: CompiledCluster,
    inference: Inference,
    role: str,
    points: Sequence[Point],
    goals: Sequence[Unit],
    kind: LogKind,
    shards: int,
) -> Inserted:
    system = inference.system
    cut = placement(inference, role, goals)
    if cut.uncut or not cut.entries:
        return Inserted(given, (), tuple(_refused(p, inference, goals, cut.uncut) for p in points))
    log = log_for(role_of(given, role).size, kind)
    entries = list(cut.entries)
    while True:
        key = key_of(system, role, entries, goals[0].head, _shared_gate(points))
        paths = _paths(given, shards if key.names else 1)
        made, sending = _carry_out(given, system, role, entries, log, paths, key)
        after = infer(System(made.deployment))
        more = [node for _, node in still_open(after, [role]) if node not in entries]
        if not more:
            break
        entries += more
    apart = _apart(after, role, paths[0], sending, entries)
    made = _keep_state(made, after, role, paths, key)
    insertion = Insertion(
        log.mechanism,
        role,
        tuple(point.id for point in points),
        tuple(dict.fromkeys(point.rule for point in points)),
        tuple(entries),
        key.names,
        log.what,
        log.price,
        tuple(dict.fromkeys(new_rules(given, made))),
        len(paths),
        apart,
        shards > 1 and not key.names,
    )
    return Inserted(made, (insertion,))


def _apart(
    after: Inference, role: str, path: str, sending: Sending, entries: Sequence[str]
) -> tuple[str, ...]:
    """Entries of which rows change the state of some of several nodes, and of these alone."""
    system = after.system
    if system.roles[role].size == 1:
        return ()
    tables = [
        id
        for id, node in system.nodes.items()
        if node.role == role and node.persisted and not is_private(system, role, id)
    ]
    told = {prompt.collection.name for _, prompt, _ in sending.passed}
    found = []
    for entry in entries:
        name = system.nodes[entry].collection.name
        if ADDRESSED not in sending.forms.get(name, ()) or name in told:
            continue
        ordered = system.id(role, _ordered(path, name))
        if any(nx.has_path(system.digraph, ordered, table) for table in tables):
            found.append(entry)
    return tuple(found)


def _refused(point: Point, inference: Inference, goals: Sequence[Unit], uncut: str) -> Refusal:
    node = inference.system.nodes.get(uncut)
    logs = inference.known.lineage.logs
    if node is not None and node.kind == "periodic":
        why = by_a_timer(node.collection.name, "ordered")
    elif uncut and is_private(inference.system, point.role, uncut):
        why = f"what decides is {uncut}, and that belongs to a protocol with an order of its own"
    elif uncut:
        why = f"nothing can be ordered between {uncut} and {point.rule}"
    elif asking := _asks_the_clock(inference, point):
        why = (
            f"{asking} at each node, and no order of messages makes their answers equal: ask "
            "once, where the message is sent, and send the answer with it"
        )
    elif any(use.node in logs for goal in goals for use in goal.uses):
        why = (
            "it reads a decided log, and not one slot per tick: keep the next slot in a table "
            "and read the log there"
        )
    elif own := _by_itself(inference.system, goals):
        table = inference.system.nodes[own.head].collection.name
        why = (
            f"{own.rule.name} writes to {table} at a tick of the node's own, not as the log "
            f"delivers: state what is there from the start as facts, `{table} <= [...]`"
        )
    elif _steps(inference, point):
        why = (
            f"{point.rule} goes on by itself, a tick after what a message has left, and the next "
            "message may come before that or with it: let it happen as the message comes"
        )
    else:
        why = "no channel and no input leads to it: there is nothing whose order could be decided"
    return Refusal(point.id, point.rule, point.span, why)


def _steps(inference: Inference, point: Point) -> bool:
    """Whether a rule acts by state alone."""
    lineage = inference.known.lineage
    return not all(map(lineage.at_a_slot, inference.system.stated(point.role, point.rule)))


def _by_itself(system: System, goals: Iterable[Unit]) -> Unit | None:
    """A rule that writes to what goals depend on, and that no message prompts."""
    for goal in goals:
        cycle = system.components[system.component[goal.head]]
        for unit in (u for node in sorted(cycle) for u in system.producers[node]):
            if unit.role == goal.role and unit.op in ("<+", "<+-") and unit.positives:
                if not any(use.node in system.asynchronous for use in unit.positives):
                    return unit
    return None


def _asks_the_clock(inference: Inference, point: Point) -> str:
    """Which clock, or chance, a rule or one on the way to it goes by: "p_1 asks for now()"."""
    system, lineage = inference.system, inference.known.lineage
    queue, seen = system.stated(point.role, point.rule), set[str]()
    for unit in queue:
        clocks = lineage.clocks(unit)
        if clocks:
            return f"{unit.rule.name} asks for {clocks[0]}"
        for node in dict.fromkeys(use.node for use in unit.uses if use.node not in seen):
            seen.add(node)
            if system.nodes[node].kind not in ("channel", "input"):
                queue += (made for made in system.producers[node] if made.role == point.role)
    return ""


def _shared_gate(points: Sequence[Point]) -> tuple[str, ...]:
    """The columns that all gates have in common; by these the log could be split."""
    gates = [point.gate for point in points]
    return tuple(column for column in gates[0] if all(column in gate for gate in gates))


# ------------------------------------------------------------------ carrying it out


def _paths(given: CompiledCluster, shards: int) -> list[str]:
    """Where the one log is embedded, or each of several."""
    base = free_path(given, "order")
    return [base] if shards == 1 else [f"{base}_{number}" for number in range(1, shards + 1)]


def _carry_out(
    given: CompiledCluster,
    system: System,
    role: str,
    nodes: Sequence[str],
    log: Log,
    paths: Sequence[str],
    key: Shard,
) -> tuple[CompiledCluster, Sending]:
    entries = [_entry(system, role, node, key if len(paths) > 1 else NO_KEY) for node in nodes]
    sending = send_to_logs(given, role, paths, entries, f"{log.module}:{log.outbox}", ORIGIN)
    deployed = sending.deployed
    keeper = f"{log.module}:{log.keeper}" + ("Peer" if role in sending.submitters else "")
    for path in paths:
        deployed = embed(deployed, role, path, keeper, {"replica": role}, ORIGIN)
        deployed = _tell_submitters(deployed, role, path, sending.submitters)
    return _deliver(deployed, role, paths, entries, sending), sending


def _entry(system: System, role: str, node: str, key: Shard) -> Entry:
    collection = next(
        c for c in system.program(role).collections if system.id(role, c.name) == node
    )
    outside = node in system.external and collection.kind == "channel"
    return Entry(node, collection, outside, key.of(node))


def _tell_submitters(
    deployed: CompiledCluster, role: str, path: str, submitters: Iterable[str]
) -> CompiledCluster:
    """The log's keepers let those who submit know that they live, where they have to."""
    if not any(c.name == f"{path}.submitters" for c in role_of(deployed, role).program.collections):
        return deployed
    node = ir.Var("node")
    columns = (ir.Column("node", ir.Plain("Address")),)
    collections, rules = [], []
    for number, name in enumerate((name for name in submitters if name != role), 1):
        roster = f"{path}.from_{name}"
        collections.append(ir.Collection(roster, "roster", columns, role=name))
        rules.append(
            ir.Rule(
                f"{path}.submitters_{number}",
                f"{path}.submitters",
                (node,),
                "<=",
                (ir.Atom(roster, (node,)),),
                ORIGIN,
            )
        )
    return add(deployed, role, collections, rules)


def _deliver(
    deployed: CompiledCluster,
    role: str,
    paths: Sequence[str],
    entries: Sequence[Entry],
    sending: Sending,
) -> CompiledCluster:
    """The rules that read an entry read what the logs deliver of it."""
    names: dict[str, str] = {}
    collections: list[ir.Collection] = []
    rules: list[ir.Rule] = []
    for entry in entries:
        collection = entry.collection
        name = _ordered(paths[0], collection.name)
        names[collection.name] = name
        doc = f"{collection.name}, in the log's order"
        collections.append(ir.Collection(name, "scratch", collection.columns, doc=doc))
        for path in paths:
            for form in sorted(sending.forms.get(collection.name, ())):
                rules.append(_delivered(path, name, collection, form, len(rules) + 1))
    for told, prompt, passed in sending.passed:
        source = f"{paths[0]}.at_{prompt.collection.name.replace('.', '_')}"
        if not any(c.name == source for c in collections):
            node = ir.Column("origin_", ir.Plain("Address"))
            plain = tuple(replace(column, key=False) for column in prompt.collection.columns)
            doc = f"{prompt.collection.name}, by where it came to"
            collections.append(ir.Collection(source, "scratch", (node, *plain), doc=doc))
            rules += (
                _everywhere(path, source, prompt.collection, number)
                for number, path in enumerate(paths, 1)
            )
        name = names[told.collection.name]
        rule = passed.arrived(name, source, ORIGIN)
        rules.append(replace(rule, name=f"{name}_{len(rules) + 1}"))
    deployed = add(deployed, role, collections, rules)
    changed = {
        rule.name: (reading(rule, names),)
        for rule in role_of(deployed, role).program.rules
        if rule.name not in sending.arriving
    }
    return replace_rules(deployed, role, changed)


def _ordered(path: str, name: str) -> str:
    """Where the delivered rows of an entry are."""
    return f"{path}.ordered_{name.replace('.', '_')}"


def _delivered(path: str, name: str, collection: ir.Collection, form: str, number: int) -> ir.Rule:
    """Commands of one form taken apart into an entry's rows."""
    taken, body = _taken_apart(path, collection, form)
    if form == ADDRESSED:
        body += (_each_node(len(taken)), ir.Condition(ir.Binary("==", NODE, ir.Here())))
    head: tuple[ir.Expr, ...] = (ir.Here(), *taken) if collection.kind == "channel" else taken
    return ir.Rule(f"{name}_{number}", name, head, "<=", body, ORIGIN)


def _everywhere(path: str, name: str, collection: ir.Collection, number: int) -> ir.Rule:
    """At every node, what comes to some of them only, with the node that it comes to."""
    taken, body = _taken_apart(path, collection, ADDRESSED)
    body += (_each_node(len(taken)),)
    node = ir.Field(ir.TupleExpr((NODE,)), 0, ir.Plain("Address"))
    row = (node, *taken) if collection.kind == "channel" else taken
    return ir.Rule(f"{name}_{number}", name, (node, *row), "<=", body, ORIGIN)


def _each_node(columns: int) -> ir.Each:
    """The nodes that an addressed command names behind its columns."""
    return ir.Each((NODE,), ir.Field(ir.Var("command"), columns + 1, ir.Plain("Any")))


def _taken_apart(
    path: str, collection: ir.Collection, form: str
) -> tuple[tuple[ir.Expr, ...], tuple[ir.Literal, ...]]:
    """A command's columns, and the literals that find commands of this form."""
    command = ir.Var("command")
    own = collection.columns[1:] if collection.kind == "channel" else collection.columns
    taken = tuple(ir.Field(command, place, column.type) for place, column in enumerate(own, 1))
    label = ir.Binary(
        "==", ir.Field(command, 0, ir.Plain("str")), ir.Const(label_of(collection) + form)
    )
    return taken, (ir.Atom(f"{path}.deliver", (ir.Wild(), command)), ir.Condition(label))


def _keep_state(
    deployed: CompiledCluster, inference: Inference, role: str, paths: Sequence[str], key: Shard
) -> CompiledCluster:
    """State that is a function of the log is durable with it and goes with its images."""
    modules = tuple(f"{path}." for path in paths)
    state = {name for name in made_of_logs(inference, role) if not name.startswith(modules)}
    deployed = lasting(deployed, role, state)
    program = role_of(deployed, role).program
    if not any(c.name == f"{paths[0]}.imaged" for c in program.collections):
        return deployed
    if len(paths) > 1:
        deployed = knowing(deployed, role, SHARD_OF)
    rules: list[ir.Rule] = []
    for table in program.collections:
        if table.name not in state:
            continue
        places = key.of(inference.system.id(role, table.name)) if len(paths) > 1 else ()
        for number, path in enumerate(paths):
            chosen = partial(_chosen, places, number, len(paths))
            rules += _image(path, table, chosen)
    return add(deployed, role, (), rules)


def _chosen(
    places: Sequence[int], number: int, shards: int, row: Sequence[ir.Expr]
) -> tuple[ir.Literal, ...]:
    """The condition that a row of the state belongs to one of several logs."""
    return in_shard([row[place] for place in places], number, shards)


def _image(
    path: str,
    table: ir.Collection,
    chosen: Callable[[Sequence[ir.Expr]], tuple[ir.Literal, ...]],
) -> Iterable[ir.Rule]:
    """A table's rows into an image of the state, and out of one, in place of what was there;
    `chosen` tells those that this log is for."""
    label = ir.Const(table.name)
    row, parts, wild = ir.Var("row"), ir.Var("parts"), ir.Wild()
    columns = tuple(ir.Var(f"c{number}") for number in range(len(table.columns)))
    taken = tuple(
        ir.Field(row, place, column.type) for place, column in enumerate(table.columns, 1)
    )
    flat = table.name.replace(".", "_")
    yield ir.Rule(
        f"{path}.image_{flat}_1",
        f"{path}.part",
        (ir.TupleExpr((label, *columns)),),
        "<=",
        (ir.Atom(f"{path}.imaged", (wild,)), ir.Atom(table.name, columns), *chosen(columns)),
        ORIGIN,
    )
    installed = ir.Atom(f"{path}.installed", (wild, wild))
    yield ir.Rule(
        f"{path}.image_{flat}_2",
        table.name,
        columns,
        "<-",
        (installed, ir.Atom(table.name, columns), *chosen(columns)),
        ORIGIN,
    )
    yield ir.Rule(
        f"{path}.image_{flat}_3",
        table.name,
        taken,
        "<+",
        (
            ir.Atom(f"{path}.installed", (wild, parts)),
            ir.Each((row,), parts),
            ir.Condition(ir.Binary("==", ir.Field(row, 0, ir.Plain("str")), label)),
        ),
        ORIGIN,
    )
