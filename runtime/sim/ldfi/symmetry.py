"""Nodes that play the same part: fault sets equal up to renaming are run once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

from bloomish import ir
from bloomish.order import order_key
from bloomish.runtime.sim.ldfi.code import Code
from bloomish.runtime.sim.ldfi.faults import Bounds, Crash, Fault, Faults, Omission, in_order
from bloomish.runtime.sim.ldfi.joins import Row

_MOST_NODES = 7  # 5,040 permutations to look at
_EXTREMES = ("max", "min")
_ORDERINGS = ("<", "<=", ">", ">=")


def renamings(code: Code, bounds: Bounds) -> list[dict[str, str]]:
    """Permutations of nodes that no rule names and that map the facts onto themselves.

    Rules that order names (`A < B`, `min<Node>`) tell nodes apart: no renaming then.
    """
    if any(_orders_names(rule, code) for rule in code.program.rules):
        return [{}]
    named = {
        part.value
        for rule in code.program.rules
        for part in _constants(rule)
        if isinstance(part.value, str)
    }
    free = [node for node in bounds.nodes if node not in named]
    if len(free) < 2 or len(free) > _MOST_NODES:
        return [{}]
    found = []
    for image in permutations(free):
        renaming = {node: other for node, other in zip(free, image, strict=True) if node != other}
        if _keeps_facts(code, renaming):
            found.append(renaming)
    return found


def canonical(
    renamings: list[dict[str, str]],
) -> Callable[[Faults, Row], tuple[Faults, Row]]:
    """A function to one representative of all equal questions: faults, and the goal
    that they are to falsify."""

    def representative(faults: Faults, goal: Row) -> tuple[Faults, Row]:
        return min(
            (
                (
                    frozenset(_rename(fault, one) for fault in faults),
                    tuple(
                        one.get(value, value) if isinstance(value, str) else value for value in goal
                    ),
                )
                for one in renamings
            ),
            key=lambda some: ([str(fault) for fault in in_order(some[0])], order_key(some[1])),
        )

    return representative if len(renamings) > 1 else lambda faults, goal: (faults, goal)


def _rename(fault: Fault, renaming: dict[str, str]) -> Fault:
    if isinstance(fault, Crash):
        return Crash(renaming.get(fault.node, fault.node), fault.time)
    return Omission(
        renaming.get(fault.sender, fault.sender),
        renaming.get(fault.receiver, fault.receiver),
        fault.time,
    )


def _keeps_facts(code: Code, renaming: dict[str, str]) -> bool:
    for facts in code.facts.values():
        for rows in facts.values():
            for row in rows:
                image = tuple(
                    renaming.get(value, value) if isinstance(value, str) else value for value in row
                )
                if image not in rows:
                    return False
    return True


def _constants(rule: ir.Rule) -> list[ir.Const]:
    found: list[ir.Const] = []
    pending: list[object] = [*rule.args, *rule.body]
    while pending:
        part = pending.pop()
        if isinstance(part, ir.Const):
            found.append(part)
        elif isinstance(part, ir.Binary):
            pending += [part.left, part.right]
        elif isinstance(part, ir.Unary):
            pending.append(part.operand)
        elif isinstance(part, ir.Aggregate):
            pending.append(part.value)
        elif isinstance(part, ir.Condition):
            pending.append(part.test)
        elif isinstance(part, ir.Atom):
            pending += part.args
    return found


def _orders_names(rule: ir.Rule, code: Code) -> bool:
    """Does the rule compare by order, or take an extreme of, what may be a node's name?"""
    columns = {c.name: [column.type for column in c.columns] for c in code.program.collections}
    numbers = {
        arg.name
        for atom in rule.body
        if isinstance(atom, ir.Atom) and not atom.negated
        for arg, kind in zip(atom.args, columns[atom.collection], strict=True)
        if isinstance(arg, ir.Var) and kind == ir.Plain("int")
    }
    ordered: list[object] = [
        arg.value for arg in rule.args if isinstance(arg, ir.Aggregate) and arg.name in _EXTREMES
    ]
    for part in rule.body:
        test = part.test if isinstance(part, ir.Condition) else None
        if isinstance(test, ir.Binary) and test.op in _ORDERINGS:
            ordered += [test.left, test.right]
    return any(isinstance(one, ir.Var) and one.name not in numbers for one in ordered)
