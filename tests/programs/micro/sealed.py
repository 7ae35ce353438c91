"""Absence that is known for certain: a producer says how much there is."""

from bloomish import Address, Key, Program, _, channel, const, count, notin, roster, scratch, table
from bloomish import variables

b, n, peer, x, y = variables("b n peer x y")


class Batches(Program):
    """One producer ships batches and a manifest of how many items each has."""

    source = const(batch=int, kind=int, item=int)
    catalogue = const(item=int)
    peers = roster("node")
    item = channel(to=Address, batch=int, kind=int, item=int)
    manifest = channel(to=Address, batch=int, n=int)
    items = table(batch=int, kind=int, item=int)
    expected = table(batch=int, n=int)
    had = scratch(batch=Key(int), n=int)

    source <= [(1, 0, 10), (1, 0, 11), (2, 1, 10)]
    catalogue <= [(10,), (11,), (12,)]
    item(peer, b, y, x) <~ source(b, y, x) & peers(peer)
    manifest(peer, b, count(x)) <~ source(b, _, x) & peers(peer)
    items(b, y, x) <= item(_, b, y, x)
    expected(b, n) <= manifest(_, b, n)
    had(b, count(x)) <= items(b, _, x)


class M15(Batches):
    """notin, guarded by the count manifest."""

    complete = scratch(batch=int)
    absent = table(batch=int, item=int)

    complete(b) <= Batches.expected(b, n) & Batches.had(b, n)
    absent(b, x) <= complete(b) & Batches.catalogue(x) & notin(Batches.items(b, _, x))


class M34(Batches):
    """The same, with the seal of another key: a batch's for a kind."""

    complete = scratch(batch=int)
    absent = table(kind=int, item=int)

    complete(b) <= Batches.expected(b, n) & Batches.had(b, n)
    absent(b, x) <= complete(b) & Batches.catalogue(x) & notin(Batches.items(_, b, x))
