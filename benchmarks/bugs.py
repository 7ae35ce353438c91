"""Planted bugs: how many seeds the simulator needs until a property breaks.

Small programs stand in `benchmarks/programs/planted.py` and `tests/sim/planted.py`, each with a
mended twin; the bugs in the protocols are changes of their text (`tests/programs/planted`).  Every
bug is searched for from the same seed on.  It is none of those by which the faults and loads of
the campaigns were chosen, so a bug that only they show is not found here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.row import Row

if TYPE_CHECKING:
    from bloomish.runtime.sim.workload import Insert
    from tests.programs.campaigns import Campaign

HERE = Path(__file__).parent
SMALL = HERE / "programs" / "planted.py"
SIM = HERE.parent / "tests" / "sim" / "planted.py"
FIRST, LIMIT = 50_000, 1_000
PROTOCOLS = ("two_phase_commit", "paxos", "paxos_commit", "seal", "multipaxos")
QUICK = ("two_phase_commit",)
QUICK_LIMIT = 100  # the quick table has those that show early

Given = tuple[float, str, str, tuple[object, ...]]
"""What a host inserts: at about when, where, into what, which row."""


@dataclass(frozen=True)
class Small:
    """A bug in a small program: the clusters with and without it, and what shows it."""

    name: str
    file: Path
    wrong: str
    right: str
    breaks: str
    faults: str
    given: Sequence[Given]
    spread: float = 0.0
    """By up to how much later, drawn anew for every seed, something is given."""

    def campaign(self, cluster: str) -> Campaign:
        from bloomish.runtime.sim.rates import parse_rates
        from bloomish.runtime.sim.stage import stage_of
        from tests.programs.campaigns import Campaign

        return Campaign(stage_of(f"{self.file}:{cluster}"), self._load, parse_rates(self.faults))

    def _load(self, chance: random.Random, falls: Sequence[int]) -> Iterator[Insert]:
        from bloomish.runtime.sim.schedule import SECOND
        from bloomish.runtime.sim.workload import Insert

        for time, node, collection, row in self.given:
            when = round((time + chance.random() * self.spread) * SECOND)
            yield Insert(when, node, collection, (row,))


def _each(role: str, count: int, collection: str, rows: int = 1) -> list[Given]:
    return [
        (0.0, f"{role}-{number}", collection, (number * rows + row + 1,))
        for number in range(count)
        for row in range(rows)
    ]


def _one(node: str, collection: str, rows: int = 1, apart: float = 0.0) -> list[Given]:
    return [(row * apart, node, collection, (row + 1,)) for row in range(rows)]


SMALLS = (
    Small("no retransmission", SIM, "hasty", "patient", "answered", "loss=0.2",
          _one("client-0", "want")),
    Small("a duplicate counts twice", SMALL, "counts_arrivals", "counts_requests", "too_many",
          "network,restart=1", _one("client-0", "want", 3), 1.0),
    Small("a G-counter that is one integer", SMALL, "one_integer", "integer_per_node", "complete",
          "network", _each("replica", 3, "hit", 2), 2.0),
    Small("anti-entropy skipped", SMALL, "tells_once", "tells_on", "complete",
          "network", _each("replica", 3, "write"), 2.0),
    Small("a lock for whoever comes first", SMALL, "first_come", "one_of_them", "two_owners",
          "network,pause=2", _each("client", 3, "want"), 1.0),
    Small("what comes last overwrites", SMALL, "last_to_come", "last_made", "latest",
          "reorder=0.2,delay=0.1", _one("client-0", "write", 3, 0.002)),
    Small("a delete overtakes its insert", SMALL, "deletes_what_is_there", "keeps_tombstones",
          "gone", "reorder=0.2,delay=0.1",
          [(0.0, "client-0", "add", (1,)), (0.002, "client-0", "remove", (1,))]),
    Small("confirmed before it is on disk", SMALL, "in_memory", "on_disk", "kept",
          "network,restart=2", [(0.0, "client-0", "write", (1,)), (5.5, "client-0", "write", (1,))],
          0.4),
    Small("a volatile promise", SIM, "forgetful", "durable", "torn", "default,restart=3",
          [*_one("candidate-0", "stand"), *_one("candidate-1", "stand")]),
    Small("a lease by a clock that is set back", SMALL, "looks_at_the_clock", "over_is_over",
          "revived", "jump=2", [(0.0, "holder-0", "grant", (1,)),
          *((n / 2, "holder-0", "check", (1,)) for n in range(1, 10))]),
)  # fmt: skip


def first(campaign: Campaign, breaks: str, limit: int) -> int | None:
    """How many seeds it takes until the property breaks."""
    for number in range(limit):
        if breaks in campaign.broken(FIRST + number):
            return number + 1
    return None


def run(quick: bool) -> Iterator[Row]:
    """A row for each bug."""
    limit = QUICK_LIMIT if quick else LIMIT
    for bug in SMALLS:
        yield search(bug.name, bug.campaign(bug.wrong), bug.breaks, limit)
    for name in QUICK if quick else PROTOCOLS:
        yield from _protocol(name, limit, quick)


def _protocol(name: str, limit: int, quick: bool) -> Iterator[Row]:
    from tests.programs.planted import planted

    module = import_module(f"tests.programs.planted.{name}")
    with TemporaryDirectory() as folder:
        for bugs, campaign in _campaigns()[name].items():
            for bug in getattr(module, bugs):
                if quick and bug.seed > 0:
                    continue
                stage = planted(bug, name, Path(folder))
                yield search(f"{name}: {bug.name}", campaign(stage), bug.breaks, limit)


def _campaigns() -> dict[str, dict[str, Callable[..., Campaign]]]:
    """Protocol -> its lists of bugs -> the campaign that the right protocol stands in its tests."""
    from functools import partial

    from tests.programs import loads, test_multipaxos, test_seal
    from tests.programs.campaigns import Campaign

    return {
        "two_phase_commit": {"BUGS": partial(Campaign, load=loads.transactions)},
        "paxos": {"BUGS": partial(Campaign, load=loads.rivals)},
        "paxos_commit": {"BUGS": partial(Campaign, load=loads.commitments)},
        "seal": {"BUGS": partial(Campaign, load=loads.groups, rates=test_seal.RATES)},
        "multipaxos": {
            "BUGS": test_multipaxos.campaign,
            "READING_BUGS": test_multipaxos.reading,
        },
    }


def search(name: str, campaign: Campaign, breaks: str, limit: int) -> Row:
    """The row of one bug; not met where it was not found."""
    needed = first(campaign, breaks, limit)
    return Row(
        name,
        "seeds",
        limit if needed is None else needed,
        target=f"<= {limit:,}",
        met=needed is not None,
        note=f"breaks {breaks}" if needed is not None else f"{breaks} did not break",
    )
