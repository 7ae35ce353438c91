"""Atomic commit that is asked for by `--with 2pc`, of programs that an order would do for."""

from __future__ import annotations

from bloomish import (
    Address,
    Cluster,
    Key,
    Program,
    _,
    channel,
    input,
    max_,
    notin,
    output,
    periodic,
    roster,
    table,
    variables,
)
from bloomish.analysis.coordinate import coordinate
from bloomish.runtime.sim.explore.outcomes import by_decided_log, outcomes
from bloomish.runtime.sim.explore.space import Limits, explore
from bloomish.runtime.sim.stage import stage_of_target
from bloomish.runtime.sim.workload import Insert
from bloomish.targets import Target

key, node, number, value = variables("key node number value")


class Counting(Program):
    """What is said to counters."""

    add = channel(to=Address, key=str, number=int)
    reset = channel(to=Address, key=str)


class Counter(Counting):
    """Where a reset is there, nothing is added."""

    count = table(key=Key(str), number=int)

    count(key, number + value) < +-(
        Counting.add(_, key, number) & count(key, value) & notin(Counting.reset(_, key))
    )
    count(key, number) < +-(
        Counting.add(_, key, number) & notin(count(key, _)) & notin(Counting.reset(_, key))
    )
    count(key, 0) < +-Counting.reset(_, key)


class User(Counting):
    """Tells all counters."""

    counters = roster("counter")
    more = input(key=str, number=int)
    zero = input(key=str)

    Counting.add(node, key, number) < ~more(key, number) & counters(node)
    Counting.reset(node, key) < ~zero(key) & counters(node)


counters = Cluster(counter=Counter * 2, user=User * 2)


def test_a_message_may_ask_that_there_be_none_of_another_kind() -> None:
    made = coordinate(counters, "2pc")
    assert not made.plan.refusals
    assert made.after.status == 0


def test_schedules_that_decide_alike_end_alike() -> None:
    """Participants forget tickets that all know of, and exploration may not: two orders of the
    same transactions would pass for one decision."""
    made = coordinate(counters, "2pc", "contract")
    stage = stage_of_target(Target("counters", (), made.deployed), ())
    inserts = [
        Insert(0, "user-0", "more", (("x", 1),)),
        Insert(0, "user-0", "more", (("x", 3),)),
        Insert(0, "user-1", "more", (("x", 2),)),
        Insert(0, "user-1", "zero", (("x",),)),
    ]
    space = explore(stage, inserts, Limits(states=2_000))
    groups = by_decided_log(space, outcomes(space))
    assert len(groups) > 1
    assert all(len(group) == 1 for group in groups.values())


def test_a_timer_is_nothing_to_be_voted_on() -> None:
    class Closing(Counting):
        timer = periodic(1.0)
        seen = table(key=str)
        first = table(place=Key(int), key=str)

        seen(key) <= Counting.add(_, key, _)
        first(0, max_(key)) < +(timer(_) & seen(key) & notin(first(0, _)))

    made = coordinate(Cluster(counter=Closing * 2, user=User), "2pc")
    assert not made.plan.insertions
    (refusal,) = made.plan.refusals
    assert "timer fires at each node" in refusal.why


def test_to_delete_whatever_is_there_asks_for_nothing() -> None:
    """A token that goes round is no transaction because its holder clears its desk."""

    class Ring(Program):
        nodes = roster("node")
        timer = periodic(1.0)
        token = channel(to=Address, turn=int)
        want = input(job=str)
        waiting = table(job=str)
        done = output(turn=int, job=str)

        token(node, number) < ~timer(number) & nodes(node)
        token(node, number + 1) < ~token(node, number) & nodes(node)
        waiting(key) <= want(key)
        waiting(key) < -token(_, _) & waiting(key)
        done(number, key) <= token(_, number) & waiting(key)

    made = coordinate(Cluster(node=Ring * 3))
    assert [one.mechanism for one in made.plan.insertions] == ["consensus"]
    assert made.after.status == 0
