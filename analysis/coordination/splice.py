"""Programs put into programs, as data: what every insertion is made with."""

from __future__ import annotations

import importlib
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from bloomish import ir
from bloomish.analysis.inference import Inference
from bloomish.analysis.modes import SEQ
from bloomish.cluster import CompiledCluster
from bloomish.elaborate import Compiled
from bloomish.errors import BloomishError
from bloomish.externals import Externals
from bloomish.rename import embedded
from bloomish.rename import rule as renamed_rule
from bloomish.targets import load


class _HasName(Protocol):
    @property
    def name(self) -> str: ...


Named = TypeVar("Named", bound=_HasName)


def module(name: str) -> Compiled:
    """A coordination module by its name, such as `bloomish.programs.ordering:Outbox`."""
    (compiled,) = load(name).programs
    return compiled


def knowing(deployed: CompiledCluster, role: str, path: str) -> CompiledCluster:
    """A role's program with a module's `@function`, by its path, among its functions."""
    name, _, attribute = path.partition(":")
    function = getattr(importlib.import_module(name), attribute)
    program, python = role_of(deployed, role).program, deployed.externals[role]
    functions = _union(program.functions, (function._decl,), "function")
    more = Externals({attribute: function.__wrapped__}, {})
    return with_role(deployed, role, replace(program, functions=functions), together(python, more))


def with_role(
    deployed: CompiledCluster, name: str, program: ir.Program, externals: Externals
) -> CompiledCluster:
    """The deployment with another program at a role."""
    roles = tuple(
        replace(role, program=program) if role.name == name else role
        for role in deployed.deployment.roles
    )
    return CompiledCluster(
        replace(deployed.deployment, roles=roles), {**deployed.externals, name: externals}
    )


def role_of(deployed: CompiledCluster, name: str) -> ir.Role:
    """A role by its name."""
    return next(role for role in deployed.deployment.roles if role.name == name)


def embed(
    deployed: CompiledCluster,
    role: str,
    path: str,
    name: str,
    rosters: Mapping[str, str],
    origin: str,
) -> CompiledCluster:
    """A role's program with the module `name` in it under `path`, as `use` would put it.

    `rosters` maps the roles that the module speaks of to roles of the deployment.
    Modules that share declarations (a class of channels) may be embedded under
    one path: what is equal is there once.
    """
    compiled = module(name)
    inner = embedded(compiled.program, path)
    inner = replace(
        inner,
        collections=tuple(
            replace(c, role=rosters.get(c.role, c.role)) if c.kind == "roster" else c
            for c in inner.collections
        ),
        rules=tuple(replace(rule, origin=origin) for rule in inner.rules),
    )
    outer = role_of(deployed, role).program
    return with_role(
        deployed,
        role,
        merged(outer, _apart(outer, inner)),
        together(deployed.externals[role], compiled.externals),
    )


def _apart(outer: ir.Program, inner: ir.Program) -> ir.Program:
    """The inner program with other names for what the outer one calls the same and is not."""
    known = {c.name: c for c in outer.collections}
    other = {
        c.name: f"{c.name}_{inner.name.lower()}"
        for c in inner.collections
        if known.get(c.name, c) != c
    }

    def renamed(name: str) -> str:
        return other.get(name, name)

    stated = {rule.name: rule for rule in outer.rules}
    rules = [renamed_rule(rule, renamed) for rule in inner.rules]
    return replace(
        inner,
        collections=tuple(replace(c, name=renamed(c.name)) for c in inner.collections),
        rules=tuple(
            replace(rule, name=f"{rule.name}_{inner.name.lower()}")
            if stated.get(rule.name, rule) != rule
            else rule
            for rule in rules
        ),
        facts=tuple(replace(f, collection=renamed(f.collection)) for f in inner.facts),
        guards=tuple(
            replace(guard, ordered=tuple(map(renamed, guard.ordered))) for guard in inner.guards
        ),
    )


def merged(outer: ir.Program, inner: ir.Program) -> ir.Program:
    """One program with the declarations and rules of both; raises where they clash.

    What is embedded comes first in every list, as where `use` puts it.
    """
    return replace(
        outer,
        collections=_union(inner.collections, outer.collections, "collection"),
        rules=_union(inner.rules, outer.rules, "rule"),
        facts=(*(f for f in inner.facts if f not in outer.facts), *outer.facts),
        lattices=_union(outer.lattices, inner.lattices, "lattice"),
        functions=_union(outer.functions, inner.functions, "function"),
        guards=_guards(inner.guards, outer.guards),
        assumptions=(*inner.assumptions, *outer.assumptions),
    )


def _union(mine: tuple[Named, ...], others: tuple[Named, ...], what: str) -> tuple[Named, ...]:
    known = {one.name: one for one in mine}
    for other in others:
        if known.setdefault(other.name, other) != other:
            raise BloomishError(f"two {what}s are called {other.name}: rename that of the program")
    return tuple(known.values())


def _guards(mine: tuple[ir.Guard, ...], others: tuple[ir.Guard, ...]) -> tuple[ir.Guard, ...]:
    """Two guards of one scope are one: a path is printed as one class."""
    by_scope: dict[str, ir.Guard] = {}
    for other in (*mine, *others):
        known = by_scope.get(other.scope)
        by_scope[other.scope] = (
            other
            if known is None
            else replace(
                known,
                by=tuple(dict.fromkeys((*known.by, *other.by))),
                ordered=tuple(dict.fromkeys((*known.ordered, *other.ordered))),
                sealed=tuple(dict.fromkeys((*known.sealed, *other.sealed))),
            )
        )
    return tuple(by_scope.values())


def together(mine: Externals, others: Externals) -> Externals:
    """The Python behind both."""
    return Externals({**mine.functions, **others.functions}, {**mine.lattices, **others.lattices})


def add(
    deployed: CompiledCluster,
    role: str,
    collections: Iterable[ir.Collection] = (),
    rules: Iterable[ir.Rule] = (),
) -> CompiledCluster:
    """More declarations, first, and more rules, last, at a role.

    Declarations under a path that there is go to the others under it: what is embedded comes in
    one order in all lists, by which it is told apart again where it is printed.
    """
    program = role_of(deployed, role).program
    program = replace(
        program,
        collections=_grouped(
            _union(tuple(collections), program.collections, "collection"), program.collections
        ),
        rules=_union(program.rules, tuple(rules), "rule"),
    )
    return with_role(deployed, role, program, deployed.externals[role])


def _grouped(
    every: Iterable[ir.Collection], known: tuple[ir.Collection, ...]
) -> tuple[ir.Collection, ...]:
    """All of them, those that were not known before those of the same path, if there are any."""
    paths = {_path(c) for c in known} - {""}
    names = {c.name for c in known}
    more: dict[str, list[ir.Collection]] = {}
    for collection in every:
        if collection.name not in names:
            path = _path(collection)
            more.setdefault(path if path in paths else "", []).append(collection)
    found = more.pop("", [])
    for collection in known:
        found += [*more.pop(_path(collection), ()), collection]
    return tuple(found)


def _path(collection: ir.Collection) -> str:
    """The first name of a path, "" without one."""
    path, dot, _ = collection.name.partition(".")
    return path if dot else ""


def replace_rules(
    deployed: CompiledCluster, role: str, changed: Mapping[str, Iterable[ir.Rule]]
) -> CompiledCluster:
    """Some rules of a role, by name, replaced by others (none: taken away)."""
    program = role_of(deployed, role).program
    rules: list[ir.Rule] = []
    for rule in program.rules:
        rules += changed.get(rule.name, (rule,))
    return with_role(deployed, role, replace(program, rules=tuple(rules)), deployed.externals[role])


def reading(rule: ir.Rule, names: Mapping[str, str]) -> ir.Rule:
    """A rule whose body reads other collections instead, by name."""
    body = tuple(
        replace(part, collection=names[part.collection])
        if isinstance(part, ir.Atom) and part.collection in names
        else part
        for part in rule.body
    )
    return rule if body == rule.body else replace(rule, body=body)


def made_of_logs(inference: Inference, role: str) -> set[str]:
    """A role's tables that are functions of what is delivered to it."""
    return {
        c.name
        for c in inference.system.program(role).collections
        if c.kind == "table" and inference.modes[inference.system.id(role, c.name)] is SEQ
    }


def lasting(deployed: CompiledCluster, role: str, names: Container[str]) -> CompiledCluster:
    """A role's program in which these tables are durable."""
    program = role_of(deployed, role).program
    collections = tuple(
        replace(c, durable=True) if c.name in names else c for c in program.collections
    )
    program = replace(program, collections=collections)
    return with_role(deployed, role, program, deployed.externals[role])


def new_rules(before: CompiledCluster, after: CompiledCluster) -> list[str]:
    """The names of the rules that one deployment has and the other has not, role by role."""
    known = {
        (role.name, rule.name) for role in before.deployment.roles for rule in role.program.rules
    }
    return [
        rule.name
        for role in after.deployment.roles
        for rule in role.program.rules
        if (role.name, rule.name) not in known
    ]


def stated(
    rules: list[ir.Rule],
    head: str,
    args: Sequence[ir.HeadArg],
    body: tuple[ir.Literal, ...],
    origin: str,
    span: ir.Span | None = None,
) -> None:
    """One more rule about what an embedded module asks of the program, numbered by its head."""
    number = sum(rule.head == head for rule in rules) + 1
    name = f"{head}_by_program_{number}"
    rules.append(ir.Rule(name, head, tuple(args), "<=", body, origin, span or ir.Span()))


def label_of(collection: ir.Collection) -> str:
    """What rows of a collection are called where rows of several travel together."""
    return collection.wire or collection.name


def without_idle(before: CompiledCluster, after: CompiledCluster) -> CompiledCluster:
    """What an insertion made of a deployment, without the channels that it took from some role's
    rules, where no rule has them any more: what comes on a channel that nobody sends on would
    come from outside."""
    taken = {
        c.wire
        for role in after.deployment.roles
        for c in _idle(role.program)
        if c.name in _named(role_of(before, role.name).program)
    }
    roles = []
    for role in after.deployment.roles:
        idle = {c.name for c in _idle(role.program) if c.wire in taken}
        kept = tuple(c for c in role.program.collections if c.name not in idle)
        roles.append(replace(role, program=replace(role.program, collections=kept)))
    return replace(after, deployment=replace(after.deployment, roles=tuple(roles)))


def _idle(program: ir.Program) -> list[ir.Collection]:
    """Channels that no rule sends on or reads."""
    named = _named(program)
    return [c for c in program.collections if c.kind == "channel" and c.name not in named]


def _named(program: ir.Program) -> set[str]:
    """The collections that some rule derives or reads."""
    named = {rule.head for rule in program.rules}
    for rule in program.rules:
        named |= {part.collection for part in rule.body if isinstance(part, ir.Atom)}
    return named


def free_path(deployed: CompiledCluster, wanted: str) -> str:
    """A path that no collection of any role begins with: `wanted`, or with a number behind."""
    taken = {
        collection.name.split(".")[0]
        for role in deployed.deployment.roles
        for collection in role.program.collections
    }
    number, path = 1, wanted
    while path in taken:
        number += 1
        path = f"{wanted}{number}"
    return path
