"""Every fault set within the bounds, smallest first: the oracle of the search."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from math import comb

from bloomish.errors import BloomishError
from bloomish.runtime.sim.ldfi.faults import Bounds, Crash, Faults, Omission, without_subsumed
from bloomish.runtime.sim.ldfi.search import Attack, Verdict
from bloomish.runtime.sim.ldfi.verdict import violations

MOST_SETS = 1_000_000


def how_many(bounds: Bounds) -> int:
    """The number of fault sets: crashes times subsets of losses."""
    crashes = sum(
        comb(len(bounds.nodes), count) * bounds.eot**count
        for count in range(min(bounds.crashes, len(bounds.nodes)) + 1)
    )
    return int(crashes << len(omissions(bounds)))


def omissions(bounds: Bounds) -> list[Omission]:
    """Every loss that may happen."""
    return [
        Omission(sender, receiver, time)
        for time in range(1, min(bounds.eff, bounds.eot + 1))
        for sender in bounds.nodes
        for receiver in bounds.nodes
        if sender != receiver
    ]


def crash_sets(bounds: Bounds) -> Iterator[frozenset[Crash]]:
    """At most so many nodes, each at any tick."""
    for count in range(min(bounds.crashes, len(bounds.nodes)) + 1):
        for nodes in combinations(bounds.nodes, count):
            for times in product(range(1, bounds.eot + 1), repeat=count):
                yield frozenset(map(Crash, nodes, times))


def fault_sets(bounds: Bounds) -> Iterator[Faults]:
    """By number of losses, then of crashes."""
    losses = omissions(bounds)
    for count in range(len(losses) + 1):
        for lost in combinations(losses, count):
            for crashed in crash_sets(bounds):
                yield crashed.union(lost)


def exhaust(attack: Attack) -> Verdict:
    """Runs every fault set (equal ones once); refuses scopes that would never end."""
    sets = how_many(attack.bounds)
    if sets > MOST_SETS:
        raise BloomishError(
            f"{sets:,} fault sets are too many to try one by one (the most is {MOST_SETS:,}); "
            "use smaller bounds, or the lineage-driven search"
        )
    seen: set[Faults] = set()
    for faults in fault_sets(attack.bounds):
        faults = without_subsumed(faults, attack.bounds.mode)
        if faults in seen:
            continue
        seen.add(faults)
        attack.verdict.hypotheses += 1
        run = attack.run(faults)
        missed = violations(run, attack.verdict.goals, attack.bounds.eot)
        if missed:
            attack.verdict.counterexample = attack.shrink(faults, run, missed)
            return attack.verdict
    return attack.verdict
