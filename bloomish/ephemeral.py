"""Which collections and rules live for one tick only, known without running.

Rows that an ephemeral rule derives are events: an output hands them over at
every tick that derives them, a send leaves at every such tick.  All others are
views and standing sends.
"""

from __future__ import annotations

from bloomish import ir
from bloomish.safety import parts
from bloomish.schema import Schema, schema_of

SOURCES = frozenset({"channel", "input", "periodic"})
VIEWS = frozenset({"scratch", "output", "invariant", "eventually"})


def is_volatile(rule: ir.Rule) -> bool:
    """Does the rule ask for the clock, the tick's number or chance?"""
    for arg in rule.args:
        if _volatile(arg):
            return True
    for literal in rule.body:
        match literal:
            case ir.Atom(_, args):
                exprs = args
            case ir.Condition(test):
                exprs = (test,)
            case ir.Each(items, source):
                exprs = (*items, source)
        if any(_volatile(expr) for expr in exprs):
            return True
    return False


def _volatile(expr: ir.HeadArg) -> bool:
    if isinstance(expr, (ir.Var, ir.Const, ir.Wild)):
        return False
    return any(isinstance(part, (ir.Now, ir.TickNumber, ir.Random)) for part in parts(expr))


def _reads(rule: ir.Rule, collections: frozenset[str] | set[str]) -> bool:
    return any(
        isinstance(literal, ir.Atom) and not literal.negated and literal.collection in collections
        for literal in rule.body
    )


def ephemeral_collections(program: ir.Program | Schema) -> frozenset[str]:
    """The least fixpoint: channels, inputs, periodics, and views that an ephemeral
    `<=` or `<+` rule feeds."""
    schema = schema_of(program)
    kinds = {c.name: c.kind for c in schema.program.collections}
    found = {name for name, kind in kinds.items() if kind in SOURCES}
    readers: dict[str, list[ir.Rule]] = {}
    work = list(found)
    for rule in schema.program.rules:
        if rule.op not in ("<=", "<+") or kinds[rule.head] not in VIEWS:
            continue
        if is_volatile(rule) and rule.head not in found:
            found.add(rule.head)
            work.append(rule.head)
        for literal in rule.body:
            if isinstance(literal, ir.Atom) and not literal.negated:
                readers.setdefault(literal.collection, []).append(rule)
    while work:
        for rule in readers.get(work.pop(), ()):
            if rule.head not in found:
                found.add(rule.head)
                work.append(rule.head)
    return frozenset(found)


def is_ephemeral(
    program: ir.Program | Schema, rule: ir.Rule, ephemeral: frozenset[str] | None = None
) -> bool:
    """A positive literal on an ephemeral collection, or a volatile rule.

    Callers with many rules pass `ephemeral_collections(program)` along.
    """
    known = ephemeral_collections(program) if ephemeral is None else ephemeral
    return is_volatile(rule) or _reads(rule, known)
