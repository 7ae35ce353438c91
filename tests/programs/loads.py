"""What hosts ask of the protocols in a campaign."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from bloomish.runtime.sim.random_runs import SAFETY
from bloomish.runtime.sim.schedule import SECOND, Fault, LinkFault, NodeFault
from bloomish.runtime.sim.workload import Insert
from tests.programs.campaigns import MOMENT, Fall, at, moments

NODES = ("node-0", "node-1", "node-2")


def rivals(chance: random.Random, falls: Sequence[int]) -> Iterator[Insert]:
    """Every decision has rival values, and often a usurper."""
    for number, time in enumerate(moments(chance, falls, 25)):
        for node, value in zip(NODES, "xyz", strict=True):
            when = time + chance.randrange(MOMENT)
            yield at(when, node, "propose", (f"i{number}", value))
            if chance.random() < 0.4:
                yield at(when + chance.randrange(MOMENT), node, "usurp", (number,))


def transactions(chance: random.Random, falls: Sequence[int]) -> Iterator[Insert]:
    """Some are vetoed, some given up."""
    for number, time in enumerate(moments(chance, falls, 25)):
        tx = (f"t{number}",)
        yield at(time, "coordinator-0", "begin", tx)
        if chance.random() < 0.3:
            veto = time - MOMENT // 2 + chance.randrange(6 * MOMENT)
            yield at(max(0, veto), f"participant-{chance.randrange(3)}", "veto", tx)
        if chance.random() < 0.2:
            yield at(time + chance.randrange(MOMENT), "coordinator-0", "give_up", tx)


REPLICAS = ("replica-0", "replica-1", "replica-2")


def calls(chance: random.Random, falls: Sequence[Fall]) -> Iterator[Insert]:
    """A client with six sessions appends words of its own, and reads; at times of several sessions
    at once, so that they share a slot."""
    times = moments(chance, falls, 45)
    for number, time in enumerate(times):
        if chance.random() < 0.35:
            yield at(time + chance.randrange(MOMENT), chance.choice(REPLICAS), "usurp", (number,))
    foreseen = _duels(falls)
    for number, fall in enumerate(falls):
        if fall.fault not in foreseen:
            for replica in chance.sample(REPLICAS, 2):
                when = max(0, fall - 2 * MOMENT + chance.randrange(3 * MOMENT))
                yield at(when, replica, "usurp", (1_000 + number,))
    for number, fault in enumerate(foreseen):
        old, new = chance.sample([one for one in REPLICAS if one != fault.node], 2)
        yield at(fault.start - chance.randrange(5_000, 20_000), old, "usurp", (2_000 + number,))
        yield at(fault.start - chance.randrange(1_000, 5_000), new, "usurp", (3_000 + number,))
        for replica, time in (
            (new, fault.start - chance.randrange(MOMENT)),
            (old, fault.end + chance.randrange(2 * MOMENT)),
        ):
            yield at(time, "client-0", "misled", (replica,))
            times.append(time)
    numbers = dict.fromkeys(range(6), 0)
    for time in sorted(times):
        rows = []
        for session in sorted(chance.sample(range(6), chance.choice((1, 1, 1, 1, 2, 4)))):
            numbers[session] += 1
            op = "append" if chance.random() < 0.7 else "get"
            word = f"{session}.{numbers[session]} "
            rows.append((session, numbers[session], op, chance.choice("kl"), word, ""))
        yield at(time, "client-0", "invoke", *rows)


def duels(chance: random.Random) -> Iterator[Fault]:
    """Two replicas do not hear each other, and the third, which hears both, goes down for a moment:
    what it has promised the one it must not forget when the other asks."""
    for _ in range(3):
        third, *others = chance.sample(REPLICAS, 3)
        start = chance.randrange(SAFETY // 10, SAFETY * 3 // 4)
        end = start + chance.randrange(2_000, 30_000)
        yield NodeFault("restart", third, start, end)
        yield LinkFault(
            "partition", (others[0],), (others[1],), start - 2 * MOMENT, end + SECOND // 5
        )


def _duels(falls: Sequence[Fall]) -> list[NodeFault]:
    """The faults of `duels` among all: nothing else is that short."""
    return [
        fall.fault
        for fall in falls
        if fall.fault.kind == "restart"
        and fall == fall.fault.start
        and fall.fault.end - fall < 30_000
        and fall.fault.node in REPLICAS
    ]


CUTS = [SAFETY // 10, SAFETY * 4 // 10, SAFETY * 7 // 10]
CUT = SAFETY // 5


def deposed(chance: random.Random) -> Iterator[Fault]:
    """Who leads is cut off from one of the other replicas or both, and not from the client."""
    leader, *others = REPLICAS
    for start in CUTS:
        cut = chance.sample(others, chance.choice((1, 2)))
        yield LinkFault("partition", (leader,), tuple(cut), start, start + CUT)


def reads(chance: random.Random, falls: Sequence[Fall]) -> Iterator[Insert]:
    """Meanwhile another replica usurps and gets the client's words; and somebody reads, wherever
    it is."""
    numbers = dict.fromkeys(range(6), 0)
    for start in CUTS:
        for time in sorted(start + chance.randrange(CUT) for _ in range(15)):
            op = chance.choice(("append", "get"))
            session = chance.randrange(3) + 3 * (op == "get")
            number = numbers[session] = numbers[session] + 1
            if op == "append":
                other = chance.choice(REPLICAS[1:])
                yield at(time, other, "usurp", (start + number,))
                yield at(time, "client-0", "misled", (other,))
            word = f"{session}.{number} "
            yield at(time, "client-0", "invoke", (session, number, op, "k", word, ""))


def groups(chance: random.Random, falls: Sequence[int]) -> Iterator[Insert]:
    """Groups with crews of some producers, who add items, some of them too late.

    Closing is said again and again: a host whose node was down does so.
    """
    for number, time in enumerate(moments(chance, falls, 12)):
        group = f"g{number}"
        crew = chance.sample(range(3), chance.randint(1, 3))
        for again in range(3):
            for n in crew:
                enrolled = (group, f"producer-{n}")
                yield at(time + again, "registrar-0", "enrol", enrolled)
        yield at(time + MOMENT, "registrar-0", "start", (group,))
        for n in crew:
            for item in range(chance.randint(0, 6)):
                added = (group, item, 1 << chance.randrange(20))
                yield at(time + chance.randrange(4 * MOMENT), f"producer-{n}", "add", added)
            late = (group, 100, 1 << 20)
            yield at(time + 4 * MOMENT + chance.randrange(1_500_000), f"producer-{n}", "add", late)
            for close in (time + 3 * MOMENT, 4_500_000, 5_500_000):
                yield at(close, f"producer-{n}", "close", (group,))


def commitments(chance: random.Random, falls: Sequence[int]) -> Iterator[Insert]:
    """Transactions begun at some node, with vetoes and usurpers."""
    for number, time in enumerate(moments(chance, falls, 12)):
        tx = (f"t{number}",)
        yield at(time, chance.choice(NODES), "begin", tx)
        if chance.random() < 0.3:
            veto = max(0, time - MOMENT // 2 + chance.randrange(6 * MOMENT))
            yield at(veto, f"participant-{chance.randrange(2)}", "veto", tx)
        if chance.random() < 0.3:
            yield at(time + chance.randrange(MOMENT), chance.choice(NODES), "usurp", (number,))


ACCOUNTS = {"keeper-0": "ab", "keeper-1": "cd", "keeper-2": "ef"}


def transfers(chance: random.Random, falls: Sequence[int]) -> Iterator[Insert]:
    """Between any two accounts, also one and the same, and now and then one that nobody keeps; of
    more than there is, often."""
    for number, time in enumerate(moments(chance, falls, 40)):
        source, target = (chance.choice(sorted(ACCOUNTS)) for _ in range(2))
        if chance.random() < 0.1:
            target = "nobody-7"
        yield at(
            time, f"teller-{chance.randrange(2)}", "transfer",
            (
                number, source, chance.choice(ACCOUNTS[source]),
                target, chance.choice(ACCOUNTS.get(target, "a")), chance.randint(1, 90),
            ),
        )  # fmt: skip
    for number, time in enumerate(moments(chance, falls, 4), 1):
        yield at(time, f"teller-{chance.randrange(2)}", "standing", (number,))
