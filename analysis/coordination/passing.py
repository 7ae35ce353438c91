"""What a node passes on to the others of its role because of a row that a log brings it.

A node that takes a row and tells all others of it (`p != here`) does two things
with it that belong together.  Were what it tells them a command of its own, two
nodes that do so would each end with what the other one took.  So the row's
command tells the others, too: each works out what it would be told, by the rule
of the one that the row is for, in the slot in which that one takes it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bloomish import ir, rebuild
from bloomish.analysis.expressions import terms_of, variables_of
from bloomish.ephemeral import is_volatile

ORIGIN_VAR = "origin_"


@dataclass(frozen=True, slots=True)
class PassedOn:
    """A sending rule that is prompted by `trigger`, an atom on an entry, and by nothing else that
    nodes could differ in."""

    rule: ir.Rule
    trigger: ir.Atom

    def arrived(self, name: str, source: str, origin: str) -> ir.Rule:
        """The rows of `name` at who is told, of those of `source`: where a row went, the row."""
        node = ir.Var(ORIGIN_VAR)
        to = self.rule.args[0]
        assert isinstance(to, ir.Var)

        def elsewhere(part: ir.Expr) -> ir.Expr | None:
            return node if isinstance(part, ir.Here) else None

        body: list[ir.Literal] = []
        for part in self.rule.body:
            told = rebuild.literal(part, elsewhere)
            if part is self.trigger and isinstance(told, ir.Atom):
                told = ir.Atom(source, (node, *told.args))
            body.append(told)
        body.append(ir.Condition(ir.Binary("==", to, ir.Here())))
        args = tuple(rebuild.head_arg(arg, elsewhere) for arg in self.rule.args)
        return replace(self.rule, head=name, op="<=", args=args, body=tuple(body), origin=origin)


def passed_on(
    program: ir.Program, rule: ir.Rule, role: str, triggers: Collection[str]
) -> PassedOn | None:
    """Whether a rule of a role tells all others of that role of a row of one of `triggers`."""
    kinds = {c.name: c for c in program.collections}
    to = rule.args[0]
    atoms = [part for part in rule.body if isinstance(part, ir.Atom)]
    prompts = [atom for atom in atoms if atom.collection in triggers and not atom.negated]
    rest = [atom for atom in atoms if atom not in prompts]
    if len(prompts) != 1 or not isinstance(to, ir.Var) or is_volatile(rule):
        return None
    if any(kinds[atom.collection].kind not in ("roster", "const") for atom in rest):
        return None
    if any(isinstance(arg, ir.Aggregate) for arg in rule.args):
        return None
    terms = [*rule.args, *(term for part in rule.body for term in terms_of(part))]
    if any(ORIGIN_VAR in variables_of(term) for term in terms):
        return None
    among = any(
        kinds[atom.collection].role == role and atom.args == (to,) and not atom.negated
        for atom in rest
        if kinds[atom.collection].kind == "roster"
    )
    apart = any(
        part.test in (ir.Binary("!=", to, ir.Here()), ir.Binary("!=", ir.Here(), to))
        for part in rule.body
        if isinstance(part, ir.Condition)
    )
    return PassedOn(rule, prompts[0]) if among and apart else None


def keeps_its_key(passed: PassedOn, trigger: Sequence[int], told: Sequence[int]) -> bool:
    """Whether the columns `told` of what is sent are the columns `trigger` of what prompts it."""
    return all(
        isinstance(passed.trigger.args[a], ir.Var) and passed.trigger.args[a] == passed.rule.args[b]
        for a, b in zip(trigger, told, strict=True)
    )
