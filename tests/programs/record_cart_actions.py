"""Writes programs/data/cart_actions.csv: three devices shopping for 12 households.

    python -m tests.programs.record_cart_actions

One line per act, in the order of the clock on the wall: which device, which session (household),
and either a change (request, item, change) or a checkout with the requests that the device's
screen showed.  A screen shows its own device's acts at once and another's a moment later, so
people take away what another device has just added, and some changes come too late for the list.
The seed makes the file; a test holds it to this script.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from pathlib import Path

TARGET = Path(__file__).parents[2] / "programs" / "data" / "cart_actions.csv"
COLUMNS = ("shopper", "session", "request", "item", "change", "checkout")
SEED = 2011
DEVICES = 3
SESSIONS = 12
ACTS = 250
LAG = 8.0
ITEMS = (
    "apples bananas beans beer bread butter carrots cheese coffee eggs flour honey "
    "lemons milk oats oil onions pasta rice tea"
).split()

Act = tuple[float, int, str, str, int]  # time, device, session, item, change


def visit(session: str, rng: random.Random) -> tuple[list[Act], Act]:
    """The changes of one household and its checkout (no item, no change)."""
    clock = rng.uniform(0, 600)
    acts: list[Act] = []
    for _ in range(ACTS):
        clock += rng.expovariate(1 / 4)
        device = rng.randrange(DEVICES)
        shown: dict[str, int] = {}
        for time, by, _, item, change in acts:
            if by == device or time < clock - LAG:
                shown[item] = shown.get(item, 0) + change
        held = sorted(item for item, quantity in shown.items() if quantity > 0)
        if held and rng.random() < 0.4:
            item = rng.choice(held)
            acts.append((clock, device, session, item, -rng.randint(1, shown[item])))
        else:
            acts.append((clock, device, session, rng.choice(ITEMS), rng.randint(1, 3)))
    leaves = clock - rng.uniform(0, 12)
    return acts, (leaves, rng.randrange(DEVICES), session, "", 0)


def record(seed: int = SEED) -> Iterator[tuple[object, ...]]:
    """The lines of the file, without its head."""
    rng = random.Random(seed)
    acts: list[Act] = []
    for number in range(1, SESSIONS + 1):
        changes, checkout = visit(f"s{number:02}", rng)
        acts += [*changes, checkout]
    acts.sort()
    made: dict[str, list[tuple[float, int, int]]] = {}
    for request, (time, device, session, item, change) in enumerate(acts, start=1):
        earlier = made.setdefault(session, [])
        if item:
            earlier.append((time, device, request))
            yield device, session, request, item, change, ""
        else:
            seen = [r for at, by, r in earlier if by == device or at < time - LAG]
            yield device, session, request, "", "", " ".join(map(str, seen))


def main() -> None:
    TARGET.parent.mkdir(exist_ok=True)
    with TARGET.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(record())


if __name__ == "__main__":
    main()
