"""A Dedalus program as one of its nodes runs it.

Molly evaluates all nodes as one database in which the first column is the
location.  A node of its own holds the facts that are located at it (and those
located at no node, which any rule may read), and its rules fire at itself.
What a rule reads of other nodes it does not see: the reader has warned of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bloomish import ir


def at_node(program: ir.Program, node: str, nodes: Sequence[str]) -> ir.Program:
    """The program for `node`."""
    facts = tuple(
        replace(one, rows=rows)
        for one in program.facts
        if (
            rows := tuple(
                row for row in one.rows if not row or row[0] not in nodes or row[0] == node
            )
        )
    )
    return replace(
        program, facts=facts, rules=tuple(_located(rule, program) for rule in program.rules)
    )


def _located(rule: ir.Rule, program: ir.Program) -> ir.Rule:
    """The rule with its location pinned to `here`, where rows could say otherwise."""
    first = next((part for part in rule.body if isinstance(part, ir.Atom)), None)
    if rule.origin or first is None or not first.args or isinstance(first.args[0], ir.Wild):
        return rule
    if isinstance(first.args[0], ir.Var) and _is_located(first.collection, program):
        return rule
    test = ir.Condition(ir.Binary("==", first.args[0], ir.Here()), first.span)
    return replace(rule, body=(*rule.body, test))


def _is_located(collection: str, program: ir.Program) -> bool:
    """Are all its rows at a node located at that node?  Facts and messages are; rows that
    a rule derives at another location than its own are not."""
    for rule in program.rules:
        if rule.head != collection or rule.op == "<~":
            continue
        first = next(part for part in rule.body if isinstance(part, ir.Atom))
        if not rule.args or not first.args or rule.args[0] != first.args[0]:
            return False
    declared = {c.name: c for c in program.collections}[collection]
    return (
        bool(declared.columns)
        and declared.columns[0].type == ir.Plain("Address")
        and all(one.collection != collection or _nodes_only(one) for one in program.facts)
    )


def _nodes_only(facts: ir.Facts) -> bool:
    return all(isinstance(row[0], str) for row in facts.rows)
