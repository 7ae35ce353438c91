"""Replicas that write at home and tell the others: with `--with 2pc`, one transaction or none."""

from __future__ import annotations

import pytest

from bloomish import (
    Address,
    Cluster,
    Key,
    Program,
    _,
    channel,
    here,
    input,
    max_,
    min_,
    notin,
    roster,
    scratch,
    table,
    variables,
)
from bloomish.analysis.coordinate import coordinate
from bloomish.runtime.sim.explore.outcomes import by_decided_log, outcomes
from bloomish.runtime.sim.explore.space import Limits, explore
from bloomish.runtime.sim.stage import stage_of_target
from bloomish.runtime.sim.workload import Insert
from bloomish.targets import Target

item, other, owner = variables("item other owner")


class Gossip(Program):
    heard = channel(to=Address, item=str, owner=str)


class Blind(Gossip):
    peers = roster("store")
    put = input(item=str, owner=str)
    held = table(item=Key(str), owner=str, durable=True)

    held(item, max_(owner)) < +-put(item, owner)
    held(item, max_(owner)) < +-Gossip.heard(_, item, owner)
    Gossip.heard(other, item, owner) < ~put(item, owner) & peers(other) & (other != here)


class First(Gossip):
    """Keeps what it has, and tells the others of it all the same."""

    peers = roster("store")
    put = input(item=str, owner=str)
    held = table(item=Key(str), owner=str, durable=True)

    held(item, min_(owner)) < +(put(item, owner) & notin(held(item, _)))
    held(item, min_(owner)) < +(Gossip.heard(_, item, owner) & notin(held(item, _)))
    Gossip.heard(other, item, owner) < ~put(item, owner) & peers(other) & (other != here)


class Posting(Program):
    put = channel(to=Address, item=str, owner=str)


class Forwarding(Gossip, Posting):
    """Is told by a client."""

    peers = roster("store")
    held = table(item=Key(str), owner=str, durable=True)

    held(item, max_(owner)) < +-Posting.put(_, item, owner)
    held(item, max_(owner)) < +-Gossip.heard(_, item, owner)
    Gossip.heard(other, item, owner) < ~(
        Posting.put(_, item, owner) & peers(other) & (other != here)
    )


class Client(Posting):
    say = input(to=Address, item=str, owner=str)

    Posting.put(other, item, owner) < ~say(other, item, owner)


WRITES = [
    Insert(0, "store-0", "put", (("x", "a"),)),
    Insert(0, "store-1", "put", (("x", "b"),)),
]
SAID = [
    Insert(0, "client-0", "say", (("store-0", "x", "a"),)),
    Insert(0, "client-0", "say", (("store-1", "x", "b"),)),
]


@pytest.mark.parametrize(
    ("cluster", "inserts"),
    [
        (Cluster(store=Blind * 2), WRITES),
        (Cluster(store=First * 2), WRITES),
        (Cluster(store=Forwarding * 2, client=Client), SAID),
    ],
)
def test_what_a_node_does_and_passes_on_is_one_transaction(
    cluster: Cluster, inserts: list[Insert]
) -> None:
    made = coordinate(cluster, mechanism="2pc", log="contract")
    assert made.after.status == 0
    space = explore(
        stage_of_target(Target("stores", (), made.deployed), ()),
        inserts,
        Limits(states=3_000, duplicates=0),
    )
    groups = by_decided_log(space, outcomes(space)).values()
    assert groups and all(len(group) == 1 for group in groups)
    for (end,) in groups:
        one, two = (rows for _, name, rows in end.content if name == "held")
        assert one == two and len(one) == 1


class Checking(Gossip):
    """Tells the others of what it keeps."""

    peers = roster("store")
    put = input(item=str, owner=str)
    held = table(item=Key(str), owner=str, durable=True)

    held(item, min_(owner)) < +(put(item, owner) & notin(held(item, _)))
    held(item, min_(owner)) < +(Gossip.heard(_, item, owner) & notin(held(item, _)))
    Gossip.heard(other, item, owner) < ~(
        put(item, owner) & notin(held(item, _)) & peers(other) & (other != here)
    )


class Choosing(Gossip):
    """Tells the others what it has made of a tick's."""

    peers = roster("store")
    put = input(item=str, owner=str)
    held = table(item=Key(str), owner=str, durable=True)
    most = scratch(item=Key(str), owner=str)

    most(item, max_(owner)) <= put(item, owner)
    held(item, owner) < +-most(item, owner)
    held(item, max_(owner)) < +-Gossip.heard(_, item, owner)
    Gossip.heard(other, item, owner) < ~most(item, owner) & peers(other) & (other != here)


class Standing(Gossip):
    """Tells the others what it holds, until they have heard."""

    peers = roster("store")
    put = input(item=str, owner=str)
    held = table(item=Key(str), owner=str, durable=True)

    held(item, min_(owner)) < +(put(item, owner) & notin(held(item, _)))
    held(item, min_(owner)) < +(Gossip.heard(_, item, owner) & notin(held(item, _)))
    Gossip.heard(other, item, owner) < ~held(item, owner) & peers(other) & (other != here)


@pytest.mark.parametrize("store", [Checking, Choosing, Standing])
def test_what_a_node_makes_of_it_first_is_refused(store: type[Program]) -> None:
    made = coordinate(Cluster(store=store * 2), mechanism="2pc")
    assert not made.plan.insertions
    assert made.plan.refusals
    assert all("makes two transactions" in refusal.why for refusal in made.plan.refusals)
