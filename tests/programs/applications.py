"""Applications that do not coordinate: what each is flagged for, and a story that goes wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from bloomish.runtime.evaluator import Row
from bloomish.runtime.sim.random_runs import SAFETY
from bloomish.runtime.sim.schedule import SECOND, from_text
from bloomish.runtime.sim.stage import Stage, stage_of
from bloomish.runtime.sim.workload import Insert
from bloomish.runtime.sim.world import World

FLAGGED, GROWS = "needs coordination", "monotone"

Act = tuple[str, str, Row]  # node, input, row


@dataclass(frozen=True)
class Application:
    """What `check` says of it, and a story that goes wrong in the world of `seed`.

    The acts follow each other by `step` microseconds, the last `late` of them after a second.
    All nodes of `role` should hold the same in `agree`; of `final` nothing should be taken back;
    every one of `answers` has rows at some node in the end.  With coordination inserted, `ends`
    is how hosts say that there is no more, and exploration takes the first `explored` acts (or
    `small` ones) and finds so many `outcomes`.
    """

    name: str
    words: Mapping[str, str]
    points: Mapping[str, str]  # rule -> kind
    acts: Sequence[Act]
    goes_wrong: frozenset[str]
    role: str = ""
    agree: tuple[str, ...] = ()
    final: tuple[str, ...] = ()
    seed: int = 0
    faults: str = ""
    step: int = 500
    late: int = 0
    answers: tuple[str, ...] = ()
    explored: int = 2
    small: Sequence[Act] = ()
    outcomes: int = 2
    ends: Sequence[Act] = ()

    @property
    def target(self) -> str:
        return f"bloomish.programs.{self.name}"

    def stage(self) -> Stage:
        return stage_of(self.target)

    def inserts(self, acts: Sequence[Act] = ()) -> list[Insert]:
        acts = acts or self.acts
        early = len(acts) - self.late
        return [
            Insert((place + 1) * self.step + (place >= early) * SECOND, node, collection, (row,))
            for place, (node, collection, row) in enumerate(acts)
        ]

    def played(self, stage: Stage, seed: int | None = None, more: Sequence[Act] = ()) -> World:
        """The story, told to a world, and five seconds."""
        planned = from_text(self.faults, stage.nodes)
        world = World(stage, self.seed if seed is None else seed, planned=planned)
        for insert in self.inserts([*self.acts, *more]):
            world.run(insert.time)
            world.insert(insert.node, insert.collection, insert.rows)
        world.run(SAFETY)
        return world

    def explored_ends(self, acts: Sequence[Act]) -> list[Act]:
        """The ends of what these acts are about."""
        named = {value for _, _, row in acts for value in row}
        return [one for one in self.ends if one[2][0] is True or one[2][0] in named]

    def answered(self, world: World) -> bool:
        """Whether every output that should have rows has handed some over, at some node."""
        return all(
            any(world.shown(node, name) for node in world.stage.nodes) for name in self.answers
        )

    def wrong(self, world: World) -> frozenset[str]:
        """Collections in which replicas differ or of which rows were taken back, and invariants
        that are violated."""
        nodes = [
            node
            for node, actor in world.actors.items()
            if node.rpartition("-")[0] == self.role and actor.up
        ]
        differ = {
            name
            for name in self.agree
            if any(world.rows(node, name) != world.rows(nodes[0], name) for node in nodes)
        }
        taken_back = {
            name
            for node, name in product(nodes, self.final)
            if set(world.shown(node, name)) - set(world.rows(node, name))
        }
        return frozenset(differ | taken_back | {one.collection for one in world.violations})


APPLICATIONS = (
    Application(
        "cart:destructive",
        {"replica.receipt": FLAGGED},
        {"cart_1": "overwrite", "cart_2": "overwrite", "batch_1": "choice"},
        [
            ("shopper-0", "do", ("s", 1, "milk", -1)),
            ("shopper-1", "do", ("s", 2, "milk", 2)),
            ("shopper-0", "do", ("s", 3, "milk", -2)),
            ("shopper-1", "do", ("s", 4, "milk", 1)),
        ],
        frozenset({"cart"}),
        "replica",
        ("cart",),
        seed=2,
        explored=3,
        outcomes=6,
    ),
    Application(
        "register",
        {
            "replica.register": FLAGGED,
            "client.answers": FLAGGED,
            "client.done": GROWS,
            "client.got": FLAGGED,
        },
        {"register_1": "overwrite"},
        [
            ("client-0", "put", (1, "x", "left")),
            ("client-1", "put", (1, "x", "right")),
            ("client-0", "get", (2, "x")),
            ("client-1", "get", (3, "x")),
        ],
        frozenset({"register", "torn"}),
        "replica",
        ("register",),
        answers=("done", "got"),
        explored=3,
        outcomes=6,
    ),
    Application(
        "first_come_lock",
        {
            "replica.lock": FLAGGED,
            "client.holds": FLAGGED,
            "client.missed": FLAGGED,
            "storage.users": FLAGGED,
        },
        {"lock_1": "overwrite", "lock_2": "overwrite"},
        [
            ("client-0", "want", ("door",)),
            ("client-1", "want", ("door",)),
        ],
        frozenset({"lock", "shared"}),
        "replica",
        ("lock",),
        answers=("holds", "missed"),
    ),
    Application(
        "user_names",
        {"registry.owners": FLAGGED, "client.told": FLAGGED, "client.owned": FLAGGED},
        {"owners_1": "key race"},
        [
            ("client-0", "want", ("ada", "Ada Lovelace")),
            ("client-1", "want", ("ada", "Ada Byron")),
        ],
        frozenset({"owners", "two_owners"}),
        "registry",
        ("owners",),
        answers=("owned",),
    ),
    Application(
        "bank",
        {
            "bank.drawn": FLAGGED,
            "bank.paid": GROWS,
            "teller.short": FLAGGED,
            "teller.arrived": GROWS,
            "teller.sent": FLAGGED,
            "teller.uncovered": FLAGGED,
            "teller.received": GROWS,
        },
        {"balance_1": "latch"},
        [
            ("teller-0", "transfer", (1, "bank-0", "alice", "bank-1", "bob", 70)),
            ("teller-1", "transfer", (2, "bank-0", "alice", "bank-1", "carol", 70)),
            ("teller-0", "transfer", (3, "bank-0", "alice", "bank-1", "bob", 70)),
        ],
        frozenset({"overdrawn", "from_nothing"}),
        seed=1,
        step=100,
        answers=("sent",),
    ),
    Application(
        "word_count",
        {"reducer.counted": GROWS, "reducer.total": FLAGGED},
        {"total_1": "final output"},
        [
            ("mapper-0", "line", ("poem", 1, "a rose is a rose")),
            ("mapper-1", "line", ("poem", 1, "is a rose")),
        ],
        frozenset({"total"}),
        "reducer",
        final=("total",),
        ends=[
            (f"mapper-{number}", "seal.end", (job,))
            for number in range(2)
            for job in ("poem", "song")
        ],
        answers=("total",),
        small=[
            ("mapper-0", "line", ("poem", 1, "a rose")),
            ("mapper-1", "line", ("poem", 1, "a")),
        ],
        outcomes=1,
    ),
    Application(
        "garbage",
        {
            "things": GROWS,
            "references": GROWS,
            "reached": GROWS,
            "collected": FLAGGED,
            "freed": FLAGGED,
        },
        {"collected_1": "latch"},
        [
            ("node-0", "make", ("a",)),
            ("node-1", "make", ("b",)),
            ("node-1", "make", ("c",)),
            ("node-0", "refer", ("a", "node-1", "b")),
            ("node-0", "pin", ("a",)),
            ("node-1", "sweep", (1,)),
        ],
        frozenset({"dangling"}),
        answers=("freed",),
        ends=[("node-0", "seal.end", (True,)), ("node-1", "seal.end", (True,))],
        explored=6,
        outcomes=1,
    ),
    Application(
        "promotion",
        {
            "replica.primary": FLAGGED,
            "replica.reigns": FLAGGED,
            "client.rulers": FLAGGED,
            "client.answered": FLAGGED,
        },
        {"primary_1": "overwrite"},
        [("client-0", "ask", (number,)) for number in range(1, 4)],
        frozenset({"primary", "split_brain"}),
        "replica",
        ("primary",),
        faults="crash replica-0 0.3",
        late=3,
        answers=("answered",),
        outcomes=0,
    ),
    Application(
        "concatenation",
        {"room.wall": FLAGGED, "room.reads": FLAGGED},
        {"wall_1": "overwrite", "batch_1": "choice"},
        [
            ("speaker-0", "speak", (1, "Hello ")),
            ("speaker-1", "speak", (1, "World!")),
        ],
        frozenset({"wall"}),
        "room",
        ("wall",),
        answers=("reads",),
    ),
)
