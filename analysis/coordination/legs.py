"""Which sends belong together: the legs of one trigger.

A transfer leads, in one tick of who sends, to a debit at one node and a credit
at another.  The legs of a trigger are the rules that send because of it; they
go to several nodes if their destinations are said in different ways, such as
two columns of the trigger.  A send to everybody on a roster is a broadcast to
replicas, and one message; to those on two rosters, two.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from bloomish import ir
from bloomish.ephemeral import ephemeral_collections
from bloomish.safety import parts


@dataclass(frozen=True, slots=True)
class Leg:
    """A rule that sends, and the literal of its body that triggers it."""

    rule: ir.Rule
    trigger: ir.Atom


@dataclass(frozen=True, slots=True)
class Group:
    """The legs of one trigger at one role.  `passing`: the trigger is there for one tick."""

    role: str
    trigger: str
    legs: tuple[Leg, ...]
    passing: bool


def groups(role: str, program: ir.Program, wires: Collection[str]) -> Iterator[Group]:
    """The rules of a role that send on the channels `wires`, by trigger."""
    ephemeral = ephemeral_collections(program)
    channels = {c.name for c in program.collections if c.kind == "channel" and c.wire in wires}
    found: dict[str, list[Leg]] = {}
    for rule in program.rules:
        if rule.op == "<~" and rule.head in channels:
            trigger = _trigger(program, rule, ephemeral)
            if trigger is not None:
                found.setdefault(trigger.collection, []).append(Leg(rule, trigger))
    for name, legs in found.items():
        yield Group(role, name, tuple(legs), name in ephemeral)


def _trigger(program: ir.Program, rule: ir.Rule, ephemeral: Collection[str]) -> ir.Atom | None:
    atoms = [part for part in rule.body if isinstance(part, ir.Atom) and not part.negated]
    kinds = {c.name: c.kind for c in program.collections}
    passing = [atom for atom in atoms if atom.collection in ephemeral]
    lasting = [atom for atom in atoms if kinds[atom.collection] not in ("const", "roster")]
    return next(iter(passing or lasting), None)


def goes_to_several(program: ir.Program, group: Group) -> bool:
    """Whether a trigger's legs address different nodes, and not simply all of a roster."""
    kinds = {c.name: c.kind for c in program.collections}
    found: set[object] = set()
    for leg in group.legs:
        way = _way(leg, kinds)
        if way == "several":
            return True
        if way != "all":
            found.add(way)
    return len(found) > 1


def rosters_of(program: ir.Program, group: Group) -> dict[str, Leg]:
    """The roles of which a leg goes to all nodes, each with such a leg."""
    declared = {c.name: c for c in program.collections}
    kinds = {name: c.kind for name, c in declared.items()}
    return {
        declared[part.collection].role: leg
        for leg in group.legs
        if _way(leg, kinds) == "all"
        for part in leg.rule.body
        if isinstance(part, ir.Atom) and kinds[part.collection] == "roster"
        if leg.rule.args[0] in part.args
    }


def is_broadcast(program: ir.Program, group: Group) -> bool:
    """Whether some leg goes to all of a roster."""
    kinds = {c.name: c.kind for c in program.collections}
    return any(_way(leg, kinds) == "all" for leg in group.legs)


def _way(leg: Leg, kinds: dict[str, ir.Kind]) -> object:
    """How a leg says where it goes, in terms of the trigger's columns."""
    to = leg.rule.args[0]
    columns: dict[str, object] = {
        arg.name: number for number, arg in enumerate(leg.trigger.args) if isinstance(arg, ir.Var)
    }
    if not isinstance(to, ir.Var) or to.name in columns:
        return _said(to, columns)
    for part in leg.rule.body:
        match part:
            case ir.Condition(ir.Binary("==", left, right)) if left == to:
                return _said(right, columns)
            case ir.Each(items) if to in items:
                return "several"
            case ir.Atom(collection, args, False) if to in args:
                if kinds[collection] == "roster":
                    return "all"
                others = [arg for arg in args if arg != to]
                if any(isinstance(a, ir.Var) and a.name not in columns for a in others):
                    return "several"
                return (collection, tuple(_said(arg, columns) for arg in others))
    return to


def _said(expr: ir.HeadArg, columns: dict[str, object]) -> object:
    names = [v.name for v in parts(expr) if isinstance(v, ir.Var)]
    if isinstance(expr, ir.Var):
        return columns.get(expr.name, expr.name)
    return (expr if not names else repr(expr), tuple(columns.get(name, name) for name in names))
