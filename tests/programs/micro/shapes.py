"""Shapes that the refinements look for and M1 to M41 do not have; more to mutate."""

from bloomish import Address, Bool, Key, Max, Min, Program, SetUnion, _, argmax, assume, channel
from bloomish import const, count, each, here, input, max_, notin, output, roster, scratch, size
from bloomish import table, variables

k, n, s, t, to, v, who, x, y, z = variables("k n s t to v who x y z")


class Incumbent(Program):
    """R8: the greatest of what arrives and of what is there."""

    put = channel(to=Address, key=int, stamp=int, value=int)
    cand = scratch(key=int, stamp=int, value=int)
    register = table(key=Key(int), stamp=int, value=int)

    cand(k, n, v) <= put(_, k, n, v)
    cand(k, n, v) <= register(k, n, v)
    register(k, max_(n), argmax(v, by=n)) <+- cand(k, n, v)


class Halves(Program):
    """R12: two halves of one message meet again."""

    msg = channel(to=Address, id=int, p=int, q=int)
    left = scratch(id=int, p=int)
    right = scratch(id=int, p=int, q=int)
    odd = scratch(id=int, p=int)
    both = output(id=int, p=int, q=int)

    left(x, y) <= msg(_, x, y, _)
    right(x, y, z) <= msg(_, x, y, z)
    odd(x, y) <= msg(_, x, y, _) & (y == 1)
    both(x, y, z) <= left(x, y) & right(x, y, z) & notin(odd(x, y))


class Tombstones(Program):
    """R3: what deletes stays."""

    add = channel(to=Address, id=int, value=int)
    remove = channel(to=Address, id=int)
    gone = table(id=int)
    store = table(id=int, value=int)
    view = scratch(id=int)

    store(x, v) <= add(_, x, v)
    gone(x) <= remove(_, x)
    store(x, v) <- store(x, v) & gone(x)
    view(x) <= store(x, _)


class Cells(Program):
    """T4, R6, R10: thresholds on cells of several kinds, persisted and not."""

    put = channel(to=Address, key=int, value=int)
    high = table(key=Key(int), value=Max(int))
    low = table(key=Key(int), value=Min(int))
    bag = table(key=Key(int), values=SetUnion(int))
    batch = scratch(key=Key(int), value=Max(int))
    flag = scratch(key=Key(int), up=Bool())
    passed = output(key=int)
    seen = output(value=int)

    high(k, v) <= put(_, k, v)
    low(k, v) <= put(_, k, v)
    bag(k, {v}) <= put(_, k, v)
    batch(k, v) <= put(_, k, v)
    flag(k, n > 0) <= high(k, n)
    passed(k) <= high(k, n) & (n >= 1)
    passed(k) <= low(k, n) & (n < 2)
    passed(k) <= bag(k, s) & (size(s) > 1)
    passed(k) <= batch(k, n) & (n > 1)
    seen(x) <= bag(_, s) & each(x, s)


class Shortest(Program):
    """Recursion through a cell, within a tick."""

    link = channel(to=Address, a=int, b=int, cost=int)
    links = table(a=int, b=int, cost=int)
    far = table(a=Key(int), b=Key(int), cost=Min(int))
    near = output(a=int, b=int)

    links(x, y, n) <= link(_, x, y, n)
    far(x, y, n) <= links(x, y, n)
    far(x, z, n) <= far(x, y, n) & links(y, z, 0)
    near(x, y) <= far(x, y, n) & (n <= 1)


class PerSender(Program):
    """R4: each node has one value per key, and says whose it is."""

    given = input(key=Key(int), value=int)
    peers = roster("node")
    mine = table(key=Key(int), value=int)
    put = channel(to=Address, sender=Address, key=int, value=int)
    known = table(sender=Key(Address), key=Key(int), value=int)
    total = scratch(n=Max(int))
    many = output(n=int)

    mine(k, v) <= given(k, v)
    put(to, here, k, v) <~ mine(k, v) & peers(to)
    known(who, k, v) <= put(_, who, k, v)
    total(count(k)) <= known(_, k, _)
    many(1) <= total(n) & (n > 1)


class Hops(Program):
    """State that is carried from tick to tick by a scratch."""

    go = channel(to=Address, at=int)
    block = channel(to=Address, at=int)
    blocked = table(at=int)
    road = const(a=int, b=int)
    walker = scratch(at=int)
    been = table(at=int)

    road <= [(0, 1), (1, 2), (2, 2)]
    blocked(x) <= block(_, x)
    walker(x) <+ go(_, x)
    walker(y) <+ walker(x) & road(x, y)
    been(x) <= walker(x)


class Vouched(Program):
    """R4, R13: what is assumed of a message."""

    put = channel(to=Key(Address), key=Key(int), value=int)
    register = table(key=Key(int), value=int)
    copy = table(key=Key(int), value=int)

    assume("fd", put, key="key", value="value")
    register(k, v) <= put(_, k, v)
    copy(k, v) <+- register(k, v)


SHAPES = (Incumbent, Halves, Tombstones, Cells, Shortest, PerSender, Hops, Vouched)
