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
    notin,
    roster,
    table,
    variables,
)
from bloomish.analysis.coordinate import coordinate

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
