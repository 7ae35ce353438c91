"""Seals: knowing for certain that there is no more to come.

Sources: Alvaro, Conway, Hellerstein, Maier, "Blazes: Coordination Analysis for Distributed
Programs" (ICDE 2014), for seals; Tucker, Maier, Sheard, Fegaras, "Exploiting Punctuation Semantics
in Continuous Data Streams" (TKDE 2003), for punctuations.

An absence or a total cannot be told from silence.  It can be told from a promise of the only one
who may add: when a producer closes a group, it sends a *manifest*, which says how many items of the
group there are.  Whoever has as many has them all, in whatever order they came.

With several producers all must have closed the group, and it must be certain who they are: a
registrar closes the *crew* of the group first, and sends it whole, in one row.

Nobody waits for anybody but those whom the total needs; there is no leader, no vote and no clock.
Producers repeat what is not acknowledged.  Everything that a promise is made of is durable.
"""

from bloomish import (
    Address, Cluster, Key, Program, SetUnion, _, channel, count, each, here, input,
    notin, output, protocol, roster, scratch, sum_, table, variables,
)

consumer, count_, crew_, group, member, number, producer, value = variables(
    "consumer count_ crew_ group member number producer value"
)


class Seal(Program):
    """What producers, the registrar and consumers say to each other."""

    consumers = roster("consumer")
    item = channel(to=Address, producer=Address, group=str, number=int, value=int)
    manifest = channel(to=Address, producer=Address, group=str, count=int)
    received = channel(to=Address, consumer=Address, group=str)
    crew = channel(to=Address, registrar=Address, group=str, members=SetUnion(Address))
    crew_received = channel(to=Address, consumer=Address, group=str)


class Producer(Seal):
    """Adds items to a group until its host closes it; what comes later is refused."""

    protocol(by="a count manifest of the only producer")

    add = input(group=str, number=int, value=int)
    close = input(group=str)
    refused = output(group=str, number=int)

    items = table(group=Key(str), number=Key(int), value=int, durable=True)
    closed = table(group=str, durable=True)
    counted = scratch(group=Key(str), count=int)
    known = table(consumer=Address, group=str)

    items(group, number, value) <= add(group, number, value) & notin(closed(group))
    refused(group, number) <= add(group, number, _) & closed(group)
    closed(group) <+ close(group)

    Seal.item(consumer, here, group, number, value) <~ (
        items(group, number, value) & Seal.consumers(consumer) & notin(known(consumer, group))
    )
    counted(group, count()) <= items(group, _, _)
    Seal.manifest(consumer, here, group, count_) <~ (
        closed(group) & counted(group, count_) & Seal.consumers(consumer)
        & notin(known(consumer, group))
    )
    Seal.manifest(consumer, here, group, 0) <~ (
        closed(group) & notin(counted(group, _)) & Seal.consumers(consumer)
        & notin(known(consumer, group))
    )
    known(consumer, group) <= Seal.received(_, consumer, group)


class Registrar(Seal):
    """Says who produces for a group, once its host says that this is all."""

    protocol(by="a crew that is closed before it is told")

    enrol = input(group=str, producer=Address)
    start = input(group=str)

    members = table(group=Key(str), members=SetUnion(Address), durable=True)
    started = table(group=str, durable=True)
    known = table(consumer=Address, group=str)

    members(group, {producer}) <= enrol(group, producer) & notin(started(group))
    started(group) <+ start(group)
    Seal.crew(consumer, here, group, crew_) <~ (
        started(group) & members(group, crew_) & Seal.consumers(consumer)
        & notin(known(consumer, group))
    )
    known(consumer, group) <= Seal.crew_received(_, consumer, group)


class Consumer(Seal):
    """Adds up what is complete: for each producer, and for all of a group's crew."""

    protocol(by=("count manifests", "unanimous seals over a closed crew"))

    items = table(
        producer=Key(Address), group=Key(str), number=Key(int), value=int, durable=True
    )
    expected = table(producer=Key(Address), group=Key(str), count=int, durable=True)
    crews = table(group=Key(str), members=SetUnion(Address), durable=True)
    had = scratch(producer=Key(Address), group=Key(str), count=int)
    sealed = scratch(producer=Address, group=str)
    awaited = scratch(group=str, producer=Address)
    complete = scratch(group=str)
    part = output(producer=Address, group=str, total=int)
    total = output(group=str, total=int)

    items(producer, group, number, value) <= Seal.item(_, producer, group, number, value)
    expected(producer, group, count_) <= Seal.manifest(_, producer, group, count_)
    crews(group, crew_) <= Seal.crew(_, _, group, crew_)

    had(producer, group, count()) <= items(producer, group, _, _)
    sealed(producer, group) <= expected(producer, group, count_) & had(producer, group, count_)
    sealed(producer, group) <= expected(producer, group, 0)
    awaited(group, member) <= (
        crews(group, crew_) & each(member, crew_) & notin(sealed(member, group))
    )
    complete(group) <= crews(group, _) & notin(awaited(group, _))

    part(producer, group, sum_(value)) <= (
        sealed(producer, group) & items(producer, group, _, value)
    )
    total(group, sum_(value)) <= (
        complete(group) & crews(group, crew_) & each(producer, crew_)
        & items(producer, group, _, value)
    )

    # Said again for every repetition: the last word may have been lost.
    Seal.received(producer, here, group) <~ (
        Seal.manifest(_, producer, group, _) & sealed(producer, group)
    )
    Seal.crew_received(member, here, group) <~ Seal.crew(_, member, group, _)


cluster = Cluster(producer=Producer * 3, registrar=Registrar, consumer=Consumer * 2)
