"""What hosts do in a campaign over an application: a few dozen acts, drawn anew for every seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from bloomish.runtime.evaluator import Row

Act = tuple[str, str, Row]  # node, input, row
Load = Callable[[random.Random], Sequence[Act]]
ACTS = 16


def cart(chance: random.Random) -> list[Act]:
    acts: list[Act] = []
    for request in range(ACTS):
        shopper, session = f"shopper-{chance.randrange(3)}", chance.choice("st")
        if chance.random() < 0.2:
            acts.append((shopper, "pay", (session, tuple(range(request)))))
        else:
            row = (session, request, chance.choice(("milk", "soap")), chance.randint(-2, 2))
            acts.append((shopper, "do", row))
    return acts


def register(chance: random.Random) -> list[Act]:
    acts: list[Act] = []
    for number in range(ACTS):
        client, name = f"client-{chance.randrange(2)}", chance.choice("xy")
        if chance.random() < 0.5:
            acts.append((client, "put", (number, name, f"v{number}")))
        else:
            acts.append((client, "get", (number, name)))
    return acts


def lock(chance: random.Random) -> list[Act]:
    return [
        (f"client-{chance.randrange(2)}", chance.choice(("want", "leave")), (chance.choice("dg"),))
        for _ in range(ACTS)
    ]


def names(chance: random.Random) -> list[Act]:
    return [
        (f"client-{chance.randrange(2)}", "want", (chance.choice("abcd"), f"user {number}"))
        for number in range(ACTS)
    ]


def bank(chance: random.Random) -> list[Act]:
    acts: list[Act] = []
    for number in range(1, ACTS + 1):
        source = chance.randrange(2)
        row = (
            number,
            f"bank-{source}",
            chance.choice(("alice", "bob", "carol")),
            f"bank-{1 - source}",
            chance.choice(("alice", "bob", "carol")),
            chance.randint(10, 70),
        )
        acts.append((f"teller-{chance.randrange(2)}", "transfer", row))
    return acts


def word_count(chance: random.Random) -> list[Act]:
    words = ("a", "rose", "is", "thorn")
    return [
        (
            f"mapper-{chance.randrange(2)}",
            "line",
            (chance.choice(("poem", "song")), number, " ".join(chance.choices(words, k=3))),
        )
        for number in range(ACTS)
    ]


def garbage(chance: random.Random) -> list[Act]:
    """Objects at both nodes, references among them, a root or two; sweeps in between."""
    things = [(f"node-{number % 2}", f"o{number}") for number in range(8)]
    acts: list[Act] = [(node, "make", (thing,)) for node, thing in things]
    for _ in range(ACTS // 2):
        (source, one), (target, other) = chance.sample(things, 2)
        acts.append((source, "refer", (one, target, other)))
    for node, thing in chance.sample(things, 2):
        acts.append((node, "pin", (thing,)))
    acts += [(f"node-{number % 2}", "sweep", (number,)) for number in range(4)]
    return acts


def promotion(chance: random.Random) -> list[Act]:
    return [("client-0", "ask", (number,)) for number in range(ACTS)]


def concatenation(chance: random.Random) -> list[Act]:
    return [
        (f"speaker-{chance.randrange(2)}", "speak", (number, chance.choice("abc")))
        for number in range(ACTS)
    ]


LOADS: dict[str, Load] = {
    "cart:destructive": cart,
    "register": register,
    "first_come_lock": lock,
    "user_names": names,
    "bank": bank,
    "word_count": word_count,
    "garbage": garbage,
    "promotion": promotion,
    "concatenation": concatenation,
}
