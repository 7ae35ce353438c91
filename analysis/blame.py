"""Blame: from the channel where asynchrony enters, through the point of order, to the output."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from bloomish.analysis.graph import Unit
from bloomish.analysis.inference import Conclusion, Inference
from bloomish.analysis.modes import FLUX, NONDET
from bloomish.analysis.points import Finding, Origin, PointKind
from bloomish.analysis.result import Hop


class Blame:
    """Answers which findings reach a collection, and by which ways."""

    def __init__(self, inference: Inference) -> None:
        self.inference = inference
        self.system = inference.system
        self.by_head: dict[str, list[Conclusion]] = {}
        for conclusion in inference.conclusions:
            self.by_head.setdefault(conclusion.unit.head, []).append(conclusion)
        self._reach: dict[str, tuple[Finding, ...]] = {}

    def findings(self, collection: str) -> tuple[Finding, ...]:
        """The findings by which a collection depends on the schedule, the nearest first."""
        found: dict[Finding, None] = {}
        seen = {collection: None}
        queue = deque([collection])
        while queue:
            node = queue.popleft()
            for finding in self._at(node):
                found[finding] = None
            for conclusion in self.by_head.get(node, ()):
                if conclusion.mode is not NONDET:
                    continue
                for use in conclusion.unit.uses:
                    if self.inference.modes[use.node] is NONDET and use.node not in seen:
                        seen[use.node] = None
                        queue.append(use.node)
        return tuple(found) or tuple(self._mixed_in_a_cycle(seen))

    def _at(self, node: str) -> tuple[Finding, ...]:
        if node not in self._reach:
            conclusions = self.by_head.get(node, [])
            found = [finding for c in conclusions for finding in c.findings]
            if not found and not any(c.mode is NONDET for c in conclusions) and conclusions:
                found = [self._mixture(node, conclusions)]
            self._reach[node] = tuple(found)
        return self._reach[node]

    def _mixed_in_a_cycle(self, nodes: Iterable[str]) -> Iterator[Finding]:
        """In a cycle all depends on the schedule in the end, also the rules that are fine one by
        one; but what is apart from the cycle still says what it is."""
        for node in nodes:
            conclusions = self.by_head.get(node, [])
            fine = [c for c in conclusions if c.mode is not NONDET]
            if fine and len(fine) < len(conclusions):
                rest = next(c for c in reversed(conclusions) if c.mode is NONDET)
                modes = sorted({conclusion.mode.word for conclusion in fine})
                why = (
                    f"its rules put what is {' and what is '.join(modes)} and what comes at a time "
                    "of its own into one collection"
                )
                kind = PointKind.FINAL_OUTPUT if self._is_output(node) else PointKind.LATCH
                yield Finding(rest.unit.id, kind, "T1", why)
                return

    def _mixture(self, node: str, conclusions: list[Conclusion]) -> Finding:
        """Rules that are fine one by one put things of different kinds into one collection."""
        modes = sorted({conclusion.mode.word for conclusion in conclusions})
        unit = conclusions[-1].unit
        kind = PointKind.FINAL_OUTPUT if self._is_output(node) else PointKind.LATCH
        why = f"its rules put what is {' and what is '.join(modes)} into one collection"
        origin = next((o for c in conclusions for o in c.origins), None)
        return Finding(unit.id, kind, "T1", why, origin.gate if origin else (), "", origin)

    def _is_output(self, node: str) -> bool:
        return self.system.nodes[node].kind == "output"

    def origin(self, finding: Finding) -> Origin | None:
        """Where what a finding acts on begins to be taken back."""
        if finding.origin is not None:
            return finding.origin
        seen = {finding.through}
        queue = deque([finding.through])
        while queue:
            for conclusion in self.by_head.get(queue.popleft(), ()):
                if conclusion.origins:
                    return conclusion.origins[-1]
                for use in conclusion.unit.uses:
                    if self.inference.modes[use.node] is FLUX and use.node not in seen:
                        seen.add(use.node)
                        queue.append(use.node)
        return None

    def entry(self, finding: Finding) -> tuple[Hop, ...]:
        """From the nearest channel or input to the head of the finding's rule.

        It goes by what is to be ordered or sealed: the collection that a
        negation asks about, or an aggregate ranges over.
        """
        unit = self.system.units[finding.unit]
        origin = self.origin(finding)
        system = self.system
        starts = [origin.node if origin else "", finding.through]
        starts = [start for start in starts if start in system.asynchronous][:1]
        if not starts:
            starts = [use.node for use in unit.uses if use.node in system.asynchronous]
        way = _shortest(
            starts,
            lambda node: (
                (use.node, producer)
                for producer in system.producers[node]
                for use in producer.uses
                if use.node in system.asynchronous
            ),
            lambda node: system.nodes[node].kind in ("channel", "input"),
        )
        hops = [Hop(node, _name(by)) for node, by in _as_hops(way)]
        if origin and origin.unit != finding.unit:
            first = system.units[origin.unit]
            hops.append(Hop(first.head, first.rule.name))
            onward = self._onward(first.head, finding.through or unit.head)
            hops += onward[1:]
        return (*hops, Hop(unit.head, unit.rule.name))

    def _onward(self, start: str, goal: str) -> list[Hop]:
        way = _shortest(
            [start],
            lambda node: ((reader.head, reader) for reader in self.system.readers[node]),
            lambda node: node == goal,
        )
        return [Hop(node, _name(by)) for node, by in way]

    def path(self, finding: Finding, collection: str) -> tuple[Hop, ...]:
        """The entry, and on from the rule's head to a collection."""
        unit = self.system.units[finding.unit]
        return (*self.entry(finding), *self._onward(unit.head, collection)[1:])


def _name(unit: Unit | None) -> str:
    return unit.rule.name if unit else ""


Way = list[tuple[str, Unit | None]]


def _shortest(
    starts: Iterable[str],
    neighbours: Callable[[str], Iterable[tuple[str, Unit]]],
    is_goal: Callable[[str], bool],
) -> Way:
    """Breadth first: nodes from a start to the goal, each with the rule that led to it."""
    came: dict[str, tuple[str, Unit] | None] = {}
    queue: deque[str] = deque()
    for start in starts:
        if start not in came:
            came[start] = None
            queue.append(start)
    while queue:
        node = queue.popleft()
        if is_goal(node):
            way: Way = []
            at: str = node
            while True:
                step = came[at]
                way.append((at, step[1] if step else None))
                if step is None:
                    return way[::-1]
                at = step[0]
        for other, unit in neighbours(node):
            if other not in came:
                came[other] = (node, unit)
                queue.append(other)
    return []


def _as_hops(way: Way) -> Way:
    """A way that was searched backwards, from its goal: rules move to what they derive."""
    turned: Way = []
    before: Unit | None = None
    for node, unit in reversed(way):
        turned.append((node, before))
        before = unit
    return turned
