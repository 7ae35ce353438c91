"""Verdicts (4.3): from modes and findings to what a reader can rely on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bloomish import ir
from bloomish.analysis.blame import Blame
from bloomish.analysis.graph import Node, System, Unit
from bloomish.analysis.inference import Inference
from bloomish.analysis.invariants import invariances
from bloomish.analysis.labels import labels
from bloomish.analysis.mends import mends
from bloomish.analysis.modes import CONST, DET, EVENT, FLUX, GROW, NONDET, PART, SEQ, Mode
from bloomish.analysis.points import Finding, PointKind
from bloomish.analysis.result import (
    Derivation,
    Flag,
    Invariance,
    Point,
    Report,
    Verdict,
    Word,
)
from bloomish.pretty import rule_text

ADVICE: dict[Word, str] = {
    "monotone": "only grows, to the same end whatever the order",
    "snapshot": "every answer is right as far as it goes; store the request to have the rest, "
    "coordinate to have the latest",
    "eventual": "the same once all is quiet; do nothing on it that cannot be undone",
    "ordered": "a function of the decided log: equal logs end equally",
    "local": "depends on this node's own ticks alone",
    "protocol": "depends on an order that the protocol itself guards",
    "needs coordination": "depends on the order of arrival",
}


def conclude(inference: Inference, replicas: dict[str, int]) -> Report:
    """The report on a system whose modes are known."""
    return _Judge(inference, replicas).report()


class _Judge:
    def __init__(self, inference: Inference, replicas: dict[str, int]) -> None:
        self.inference = inference
        self.system: System = inference.system
        self.blame = Blame(inference)
        self.replicas = replicas
        self.points: dict[Finding, Point] = {}
        self.ordered = self._after_logs()
        self.parted = self._apart()

    def report(self) -> Report:
        labelled = labels(self.inference, self.replicas)
        verdicts = tuple(self._verdict(id, labelled.get(id, "")) for id in self.system.sinks)
        return Report(
            self.system.name,
            tuple(self.system.roles),
            verdicts,
            tuple(self.points.values()),
            {id: mode.word for id, mode in self.inference.modes.items()},
            tuple(map(self._in_order, invariances(self.inference))),
            self._derivations(),
            (),
            self.replicas,
        )

    def _in_order(self, invariance: Invariance) -> Invariance:
        """What comes of one decided log is not merged from replicas that went their own ways."""
        if invariance.confluent or invariance.collection not in self.ordered - self.parted:
            return invariance
        why = "what it judges comes of a decided log, not of merging"
        return replace(invariance, confluent=True, why=why, mends=())

    # ------------------------------------------------------------- verdicts

    def _verdict(self, id: str, label: str) -> Verdict:
        node = self.system.nodes[id]
        mode = self.inference.modes[id]
        findings: tuple[Finding, ...] = ()
        if mode is NONDET:
            findings = self.blame.findings(id)
        elif mode is PART and node.persisted:
            findings = (self._stored_part(id),)
        flags = tuple(
            Flag(self._point(finding), self.blame.path(finding, id)) for finding in findings
        )
        word = self._word(id, node, mode, flags)
        return Verdict(
            id,
            node.role,
            node.kind,
            word,
            mode.word,
            node.collection.span,
            ADVICE[word],
            flags,
            label if id in self.parted else _of_one_log(word, label),
        )

    def _word(self, id: str, node: Node, mode: Mode, flags: tuple[Flag, ...]) -> Word:
        if flags:
            guarded = all(flag.point.guards for flag in flags)
            return "protocol" if guarded else "needs coordination"
        if mode is EVENT and any(isinstance(c.type, ir.Lattice) for c in node.collection.columns):
            return "snapshot"  # rows that share a tick are handed over as one value
        if mode in (CONST, GROW, EVENT):
            return "ordered" if id in self.ordered else "monotone"
        words: dict[Mode, Word] = {
            PART: "snapshot",
            FLUX: "eventual",
            DET: "local",
            SEQ: "ordered",
            NONDET: "needs coordination",
        }
        return words[mode]

    def _stored_part(self, id: str) -> Finding:
        """A cell that holds what happened to be merged into it (T3 lets it stand, T5 not)."""
        unit = self.system.producers[id][-1]
        why = "what met by chance is merged into a table"
        return Finding(unit.id, PointKind.UNGUARDED_JOIN, "T5", why)

    def _after_logs(self) -> frozenset[str]:
        """All that depends on a decided log."""
        return self._after(self.inference.known.lineage.logs)

    def _apart(self) -> frozenset[str]:
        """All that depends on rows of a log that are for some of several nodes only: equal logs
        end equally, but these nodes need not hold the same."""
        logs = self.inference.known.lineage.logs
        heads: list[str] = []
        for name, role in self.system.roles.items():
            reading = [
                unit
                for unit in self.system.units
                if unit.role == name and any(use.node in logs for use in unit.positives)
            ]
            everywhere = {_of_all(u) for u in reading if not any(map(_asks_where, u.conditions))}
            heads += (
                unit.head
                for unit in reading
                if role.size > 1
                and any(map(_asks_where, unit.conditions))
                and _of_all(unit) not in everywhere  # else the others work on them, too
            )
        return self._after(heads)

    def _after(self, collections: Iterable[str]) -> frozenset[str]:
        queue = list(collections)
        found = set(queue)
        while queue:
            for unit in self.system.readers[queue.pop()]:
                if unit.head not in found:
                    found.add(unit.head)
                    queue.append(unit.head)
        return frozenset(found)

    # --------------------------------------------------------------- points

    def _point(self, finding: Finding) -> Point:
        if finding not in self.points:
            unit = self.system.units[finding.unit]
            origin = self.blame.origin(finding)
            self.points[finding] = Point(
                f"P{len(self.points) + 1}",
                finding.kind.value,
                unit.role,
                unit.rule.name,
                unit.rule.span.text or rule_text(unit.rule),
                unit.rule.span,
                finding.why,
                finding.rule,
                finding.gate or (origin.gate if origin else ()),
                finding.through,
                self.blame.entry(finding),
                mends(self.system, finding, origin),
                self._guards(unit),
            )
        return self.points[finding]

    def _guards(self, unit: Unit) -> tuple[str, ...]:
        """What the protocol that a rule belongs to declares as its guards."""
        found: list[str] = []
        contracts = self.inference.known.contracts
        for guard in self.system.program(unit.role).guards:
            # What is handed to a module that seals it is not the module's own business.
            if _within(unit.rule, guard.scope) and not contracts.gives(unit):
                found.extend(guard.by)
        return tuple(dict.fromkeys(found))

    def _derivations(self) -> tuple[Derivation, ...]:
        return tuple(
            Derivation(
                c.unit.role,
                c.unit.rule.name,
                c.unit.head,
                c.mode.word,
                c.unit.rule.span.text or rule_text(c.unit.rule),
                c.unit.rule.span,
                c.steps,
            )
            for c in self.inference.conclusions
            if c.steps
        )


def _of_one_log(word: Word, label: str) -> str:
    """A log that is decided at run time leaves no replicas apart; runs may differ (4.5, M2)."""
    return "Run" if word == "ordered" and label in ("Inst", "Diverge") else label


def _asks_where(condition: ir.Condition) -> bool:
    """`(node == here)`"""
    test = condition.test
    return isinstance(test, ir.Binary) and ir.Here() in (test.left, test.right)


def _of_all(unit: Unit) -> tuple[ir.Expr, ...]:
    """What a rule asks of rows of a log, wherever it is."""
    return tuple(one.test for one in unit.conditions if not _asks_where(one))


def _within(rule: ir.Rule, scope: str) -> bool:
    """A rule belongs to the scope whose path its name begins with."""
    return not scope or rule.name.startswith(f"{scope}.") or rule.head.startswith(f"{scope}.")
