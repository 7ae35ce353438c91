"""How often faults happen by themselves: `--faults loss=0.1,partition=2`.

Of a message, the chance; of a node or link, how many at most in a run.  What is
drawn becomes a schedule, so that it can be shrunk and replayed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from bloomish.errors import BloomishError
from bloomish.runtime.sim.schedule import SECOND, Fault, LinkFault, NodeFault, NodeKind


@dataclass(frozen=True, slots=True)
class Rates:
    """Chances of the first five are per message; the others count per run."""

    loss: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    reorder: float = 0.0
    split: float = 0.0
    partition: int = 0
    oneway: int = 0
    crash: int = 0
    restart: int = 0
    losedisk: int = 0
    pause: int = 0
    skew: int = 0
    jump: int = 0

    @property
    def of_messages(self) -> bool:
        return bool(self.loss or self.duplicate or self.delay or self.reorder or self.split)


NETWORK = Rates(loss=0.1, duplicate=0.05, delay=0.05, reorder=0.2, split=0.1, partition=1, oneway=1)
PRESETS = {
    "none": Rates(),
    "network": NETWORK,
    "default": replace(NETWORK, restart=1, pause=1),
    "all": replace(NETWORK, crash=1, restart=2, losedisk=1, pause=1, skew=2, jump=1),
}
_COUNTS = {field.name for field in fields(Rates) if field.type == "int"}


def parse_rates(text: str) -> Rates:
    """`network`, `loss=0.2,restart=1`, `network,crash=1`: later words change earlier ones."""
    rates = Rates()
    for word in (part.strip() for part in text.split(",")):
        if word in PRESETS:
            rates = PRESETS[word]
            continue
        name, equals, value = word.partition("=")
        known = [field.name for field in fields(Rates)]
        if name not in known or not equals:
            raise BloomishError(
                f"{word!r} is no fault; write NAME=RATE with one of {', '.join(known)}, "
                f"or one of {', '.join(PRESETS)}"
            )
        try:
            amount = int(value) if name in _COUNTS else float(value)
        except ValueError:
            kind = "a whole number" if name in _COUNTS else "a chance between 0 and 1"
            raise BloomishError(f"{word!r}: {name} takes {kind}") from None
        if amount < 0 or (name not in _COUNTS and amount > 1):
            raise BloomishError(f"{word!r}: out of range")
        rates = replace(rates, **{name: amount})  # type: ignore[arg-type]  # as its field has it
    return rates


def draw(rates: Rates, nodes: Sequence[str], horizon: int, seed: int) -> list[Fault]:
    """The faults of nodes and links in one run; those of messages are drawn as they are sent."""
    chance = random.Random(f"faults/{seed}")
    faults: list[Fault] = []
    kinds: tuple[NodeKind, ...] = ("crash", "restart", "losedisk", "pause")
    for kind in kinds:
        for _ in range(chance.randint(0, getattr(rates, kind))):
            start = chance.randrange(horizon)
            end = 0 if kind == "crash" else start + chance.randint(SECOND // 100, horizon // 3)
            faults.append(NodeFault(kind, chance.choice(nodes), start, end))
    for _ in range(chance.randint(0, rates.skew)):
        amount = chance.randint(-2 * SECOND, 2 * SECOND)
        faults.append(NodeFault("skew", chance.choice(nodes), amount=amount))
    for _ in range(chance.randint(0, rates.jump)):
        amount = chance.randint(-30 * SECOND, 30 * SECOND)
        faults.append(NodeFault("jump", chance.choice(nodes), chance.randrange(horizon), 0, amount))
    if len(nodes) > 1:
        for _ in range(chance.randint(0, rates.partition)):
            some = chance.sample(list(nodes), chance.randint(1, len(nodes) - 1))
            left = tuple(node for node in nodes if node in some)
            right = tuple(node for node in nodes if node not in some)
            start = chance.randrange(horizon)
            end = start + chance.randint(SECOND // 100, horizon // 3)
            faults.append(LinkFault("partition", left, right, start, end))
        for _ in range(chance.randint(0, rates.oneway)):
            sender, receiver = chance.sample(list(nodes), 2)
            start = chance.randrange(horizon)
            end = start + chance.randint(SECOND // 100, horizon // 3)
            faults.append(LinkFault("oneway", (sender,), (receiver,), start, end))
    return faults
