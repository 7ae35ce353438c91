"""Programs in other hands than ours: what is inserted suits them as well."""

from __future__ import annotations

from bloomish import (
    Address,
    Cluster,
    Program,
    _,
    channel,
    here,
    input,
    output,
    roster,
    table,
    variables,
)
from bloomish.analysis.coordinate import Coordinated, coordinate
from bloomish.runtime.sim.explore.outcomes import by_decided_log, outcomes
from bloomish.runtime.sim.explore.space import Limits, explore
from bloomish.runtime.sim.stage import stage_of_target
from bloomish.runtime.sim.workload import Insert, ended
from bloomish.targets import Target

at, card, deal, other, topic, who, x, y = variables("at card deal other topic who x y")


def mechanisms(made: Coordinated) -> list[tuple[str, str]]:
    assert made.after.status == 0, [refusal.why for refusal in made.plan.refusals]
    return [(one.mechanism, one.role) for one in made.plan.insertions]


def ends(made: Coordinated, inserts: list[Insert], states: int = 20_000) -> list[int]:
    """How many outcomes each decided log has."""
    stage = stage_of_target(Target("foreign", (), made.deployed), ())
    inserts = [*inserts, *ended(stage, inserts, 0)]
    space = explore(stage, inserts, Limits(states=states, duplicates=0))
    assert not space.violations
    return [len(group) for group in by_decided_log(space, outcomes(space)).values()]


# ------------------------------------------------------- what meets by chance elsewhere


class Bus(Program):
    subscribe = channel(to=Address, who=Address, topic=str)
    publish = channel(to=Address, topic=str, text=int)
    notify = channel(to=Address, topic=str, text=int)


class Broker(Bus):
    subscribers = table(topic=str, who=Address)

    subscribers(topic, who) <= Bus.subscribe(_, who, topic)
    Bus.notify(who, topic, x) < ~Bus.publish(_, topic, x) & subscribers(topic, who)


class Reader(Bus):
    brokers = roster("broker")
    follow = input(topic=str)
    inbox = table(topic=str, text=int, durable=True)

    Bus.subscribe(at, here, topic) < ~follow(topic) & brokers(at)
    inbox(topic, x) <= Bus.notify(_, topic, x)


class Writer(Bus):
    brokers = roster("broker")
    post = input(topic=str, text=int)

    Bus.publish(at, topic, x) < ~post(topic, x) & brokers(at)


def test_what_met_by_chance_is_kept_where_it_meets() -> None:
    """The join is made at the broker, and stored by whoever hears of it."""
    made = coordinate(Cluster(broker=Broker, reader=Reader, writer=Writer), log="contract")
    assert mechanisms(made) == [("persist", "broker")]
    (insertion,) = made.plan.insertions
    assert insertion.entries == ("Bus.publish",)
    inserts = [
        Insert(0, "reader-0", "follow", (("news",),)),
        Insert(0, "writer-0", "post", (("news", 1),)),
        Insert(0, "writer-0", "post", (("sports", 2),)),
    ]
    assert ends(made, inserts) == [1]


# ------------------------------------------------------------- a join with what is taken away


class Trading(Program):
    hand_over = channel(to=Address, deal=int, mine=str, yours=str)


class Collector(Trading):
    album = table(card=str, durable=True)
    new = input(card=str)
    has = output(card=str)

    album <= [("x",)]
    album(card) <= new(card)
    album(y) < +Trading.hand_over(_, deal, x, y) & album(x)
    album(x) < -Trading.hand_over(_, deal, x, y) & album(x)
    has(card) <= album(card)


class Dealer(Trading):
    collectors = roster("collector")
    trade = input(deal=int, mine=str, yours=str)

    Trading.hand_over(at, deal, x, y) < ~trade(deal, x, y) & collectors(at)


def test_what_is_taken_away_is_not_waited_for() -> None:
    """Kept, an exchange would happen again whenever the card comes back."""
    made = coordinate(Cluster(collector=Collector, dealer=Dealer), log="contract")
    assert mechanisms(made) == [("local order", "collector")]
    (join,) = [p for p in made.before.points if p.kind == "unguarded join"]
    assert [mend.cost for mend in join.mends] == ["consensus"]
    inserts = [
        Insert(0, "dealer-0", "trade", ((1, "x", "y"),)),
        Insert(0, "dealer-0", "trade", ((2, "x", "z"),)),
    ]
    assert set(ends(made, inserts)) == {1}
