"""Sealing: a question for all of a stream's rows is answered when all are known to be there.

Sources: Alvaro, Conway, Hellerstein, Maier, "Blazes: Coordination Analysis for Distributed
Programs" (ICDE 2014), for unanimous seals; Tucker, Maier, Sheard, Fegaras, "Exploiting Punctuation
Semantics in Continuous Data Streams" (TKDE 2003), for punctuations.

What `bloomish coordinate` embeds, per channel that is to be sealed.  Rows flow as they did before,
each once.  A producer keeps what it has sent.  When it has no more for a partition, it says so in a
*manifest*, with the number of the rows that it has sent to that consumer.  A partition is complete
where the manifests of all producers of a fixed roster are there, and as many rows as they say.

A manifest is repeated until it is acknowledged, and answered by a request for all its rows where
some are missing: so a lost row delays the seal and does not stop it.  A producer that never ends,
or that does not come back, keeps its partitions open, and no others.  There is no leader, no vote
and no clock.  What a manifest promises is durable, and so is what an acknowledgement says.

Where rows are sent because of rows that came the same way, no producer knows when it has sent its
last.  `Terminating` finds out when nobody has any left and none is under way, by counting (Mattern,
"Algorithms for Distributed Termination Detection", Distributed Computing 1987, vector counters).
A node whose host has ended tells the others how many rows it has sent to each and had from each:
one moment of it.  Where what each has sent to each is what that one has had, all is over.  For
suppose that rows were sent after their senders' moments, and take the first of them.  Its sender
sent it because of a row that it got after its own moment, and that was sent before the moment of
the node that it came from, as it was sent before the first.  It is counted there and not here, so
the counts are equal only if another was had here that was not counted there: one that was sent
after a moment, and before the first.  There is none.

Neither partition nor row is ever looked into: an insertion writes their columns in their places.
"""

from bloomish import (
    Address, Any, Key, MapUnion, Max, Program, _, channel, count, here, notin, output, protocol,
    scratch, table, variables,
)

consumer, count_, had_, node, number, other = variables("consumer count_ had_ node number other")
part, producer, row, sent_, theirs = variables("part producer row sent_ theirs")


class Sealing(Program):
    """What producers and consumers say to each other."""

    item = channel(to=Address, producer=Address, part=Any, row=Any)
    manifest = channel(to=Address, producer=Address, part=Any, count=int)
    received = channel(to=Address, consumer=Address, part=Any)
    missing = channel(to=Address, consumer=Address, part=Any)


class Sender(Sealing):
    """Sends, and says how much it was; what comes after the end is refused."""

    consumers = scratch(consumer=Address)
    send = scratch(consumer=Address, part=Any, row=Any)
    ends = scratch(part=Any)

    sent = table(consumer=Address, part=Any, row=Any, durable=True)
    ended = table(part=Any, durable=True)
    counted = scratch(consumer=Key(Address), part=Key(Any), count=int)
    known = table(consumer=Address, part=Any)
    refused = output(consumer=Address, part=Any, row=Any)

    protocol(by="a count manifest of every producer", sealed={sent: ended})

    sent(consumer, part, row) <= send(consumer, part, row) & notin(ended(part))
    refused(consumer, part, row) <= (
        send(consumer, part, row) & ended(part) & notin(sent(consumer, part, row))
    )
    ended(part) <+ ends(part)

    Sealing.item(consumer, here, part, row) <~ send(consumer, part, row) & notin(ended(part))
    Sealing.item(consumer, here, part, row) <~ (
        Sealing.missing(_, consumer, part) & sent(consumer, part, row)
    )
    counted(consumer, part, count()) <= sent(consumer, part, _)
    Sealing.manifest(consumer, here, part, count_) <~ (
        ended(part) & counted(consumer, part, count_) & consumers(consumer)
        & notin(known(consumer, part))
    )
    Sealing.manifest(consumer, here, part, 0) <~ (
        ended(part) & consumers(consumer) & notin(counted(consumer, part, _))
        & notin(known(consumer, part))
    )
    known(consumer, part) <= Sealing.received(_, consumer, part)


class Receiver(Sealing):
    """Keeps what arrives; knows which partitions are complete."""

    producers = scratch(producer=Address)

    kept = table(producer=Address, part=Any, row=Any, durable=True)
    expected = table(producer=Key(Address), part=Key(Any), count=int, durable=True)
    had = scratch(producer=Key(Address), part=Key(Any), count=int)
    whole = scratch(producer=Address, part=Any)
    awaited = scratch(part=Any)
    arrived = scratch(part=Any, row=Any)
    complete = scratch(part=Any)

    protocol(
        by=("count manifests", "unanimous seals of a fixed roster"), sealed={arrived: complete}
    )

    kept(producer, part, row) <= Sealing.item(_, producer, part, row)
    expected(producer, part, count_) <= Sealing.manifest(_, producer, part, count_)

    had(producer, part, count()) <= kept(producer, part, _)
    whole(producer, part) <= expected(producer, part, count_) & had(producer, part, count_)
    whole(producer, part) <= expected(producer, part, 0)
    awaited(part) <= expected(_, part, _) & producers(producer) & notin(whole(producer, part))
    arrived(part, row) <= kept(_, part, row)
    complete(part) <= expected(_, part, _) & notin(awaited(part))

    # Said again for every repetition: the last word may have been lost.
    Sealing.received(producer, here, part) <~ (
        Sealing.manifest(_, producer, part, _) & whole(producer, part)
    )
    Sealing.missing(producer, here, part) <~ (
        Sealing.manifest(_, producer, part, _) & notin(whole(producer, part))
    )


class Both(Sender, Receiver):
    """For a role whose nodes send to each other."""


class Keeper(Program):
    """The seal of what a node's own host gives: what came after the end is refused."""

    give = scratch(part=Any, row=Any)
    ends = scratch(part=Any)

    kept = table(part=Any, row=Any, durable=True)
    closed = table(part=Any, durable=True)
    refused = output(part=Any, row=Any)

    protocol(by="the host's word that there is no more", sealed={kept: closed})

    kept(part, row) <= give(part, row) & notin(closed(part))
    refused(part, row) <= give(part, row) & closed(part) & notin(kept(part, row))
    closed(part) <+ ends(part)


class Counting(Program):
    """What nodes say to each other whose rows go round."""

    item = channel(to=Address, producer=Address, part=Any, row=Any)
    status = channel(
        to=Key(Address), node=Key(Address), moment=Key(int),
        sent=MapUnion(Address, Max(int)), had=MapUnion(Address, Max(int)),
    )
    heard = channel(to=Address, by=Address, moment=int)


class Terminating(Counting):
    """Sends and keeps; knows when nobody has any left, and none is under way."""

    peers = scratch(node=Address)
    send = scratch(consumer=Address, part=Any, row=Any)
    ends = scratch(part=Any)

    sent = table(consumer=Address, part=Any, row=Any, durable=True)
    kept = table(producer=Address, part=Any, row=Any, durable=True)
    ended = table(part=Any, durable=True)
    arrived = scratch(part=Any, row=Any)
    complete = scratch(part=Any)

    counted = scratch(consumer=Key(Address), count=int)
    had = scratch(producer=Key(Address), count=int)
    total = scratch(of=Key(str), count=int)
    now_sent = scratch(sent=MapUnion(Address, Max(int)))
    now_had = scratch(had=MapUnion(Address, Max(int)))
    moments = scratch(moment=int)
    told = table(node=Key(Address), moment=Max(int))
    tells = scratch(node=Address, moment=int)

    reports = table(
        node=Key(Address), moment=Max(int),
        sent=MapUnion(Address, Max(int)), had=MapUnion(Address, Max(int)), durable=True,
    )
    settled = scratch(consumer=Address)
    unheard = scratch(node=Address)
    under_way = scratch(producer=Address, consumer=Address)

    protocol(by="counts of what each has sent to each and had", sealed={arrived: complete})

    sent(consumer, part, row) <= send(consumer, part, row)
    kept(producer, part, row) <= Counting.item(_, producer, part, row)
    arrived(part, row) <= kept(_, part, row)
    ended(part) <+ ends(part)
    Counting.item(consumer, here, part, row) <~ sent(consumer, part, row) & notin(settled(consumer))

    # One moment of a node, all in one tick; the sum of its counts names it.
    counted(consumer, count()) <= sent(consumer, _, _)
    had(producer, count()) <= kept(producer, _, _)
    total("sent", 0) <= ended(_) & notin(sent(_, _, _))
    total("sent", count()) <= sent(_, _, _)
    total("had", 0) <= ended(_) & notin(kept(_, _, _))
    total("had", count()) <= kept(_, _, _)
    now_sent({}) <= ended(_)
    now_sent({consumer: count_}) <= counted(consumer, count_)
    now_had({}) <= ended(_)
    now_had({producer: count_}) <= had(producer, count_)
    moments(number + count_) <= ended(_) & total("sent", number) & total("had", count_)
    Counting.status(node, here, number, sent_, had_) <~ (
        moments(number) & now_sent(sent_) & now_had(had_) & peers(node) & (node != here)
        & notin(tells(node, number))
    )
    Counting.heard(node, here, number) <~ Counting.status(_, node, number, _, _)
    told(node, number) <= Counting.heard(_, node, number)
    tells(node, number) <= told(node, number)

    # The latest moment that is known of each: counts only grow, so that they merge to one moment.
    reports(node, number, sent_, had_) <= Counting.status(_, node, number, sent_, had_)
    reports(here, number, sent_, had_) <= moments(number) & now_sent(sent_) & now_had(had_)
    settled(consumer) <= (
        reports(consumer, _, _, theirs) & counted(consumer, count_) & (theirs.at(here) == count_)
    )
    unheard(node) <= peers(node) & notin(reports(node, _, _, _))
    under_way(node, other) <= (
        reports(node, _, sent_, _) & reports(other, _, _, theirs)
        & (sent_.at(other) != theirs.at(node))
    )
    complete(part) <= ended(part) & notin(unheard(_)) & notin(under_way(_, _))
