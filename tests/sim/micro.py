"""Micro-programs of ANALYSIS section 5, each with one node and messages from outside."""

from bloomish import (
    Address,
    Key,
    Max,
    Program,
    SetUnion,
    _,
    channel,
    count,
    invariant,
    notin,
    output,
    periodic,
    scratch,
    table,
    tick_number,
    variables,
)  # fmt: skip

a, b, k, n, v, x, y = variables("a b k n v x y")


class Grow(Program):  # M1
    message = channel(to=Address, x=int)
    log = table(x=int)

    log(x) <= message(_, x)


class Latched(Program):  # M3: what is not there yet is taken for absent, for good
    runaway = channel(to=Address, x=int)
    ask = channel(to=Address, x=int)
    gone = table(x=int)
    asked = table(x=int)
    married = table(x=int)

    gone(x) <= runaway(_, x)
    asked(x) <= ask(_, x)
    married(x) <= asked(x) & notin(gone(x))


class View(Program):  # M4: the same, not kept
    runaway = channel(to=Address, x=int)
    ask = channel(to=Address, x=int)
    gone = table(x=int)
    asked = table(x=int)
    married = scratch(x=int)

    gone(x) <= runaway(_, x)
    asked(x) <= ask(_, x)
    married(x) <= asked(x) & notin(gone(x))


class Threshold(Program):  # M6
    message = channel(to=Address, x=int)
    seen = table(one=Key(int), xs=SetUnion(int))
    two = output(one=int)

    seen(0, {x}) <= message(_, x)
    two(n) <= seen(n, v) & (v.size() >= 2)


class CountLatched(Program):  # M7
    message = channel(to=Address, x=int)
    log = table(x=int)
    how = scratch(n=int)
    single = table(n=int)

    log(x) <= message(_, x)
    how(count(x)) <= log(x)
    single(n) <= how(n) & (n == 1)


class EphemeralJoin(Program):  # M10
    left = channel(to=Address, x=int)
    right = channel(to=Address, x=int)
    both = table(x=int)

    both(x) <= left(_, x) & right(_, x)


class PersistentJoin(Program):  # M11
    left = channel(to=Address, x=int)
    right = channel(to=Address, x=int)
    lefts = table(x=int)
    rights = table(x=int)
    both = table(x=int)

    lefts(x) <= left(_, x)
    rights(x) <= right(_, x)
    both(x) <= lefts(x) & rights(x)


class Register(Program):  # M13
    message = channel(to=Address, x=int)
    register = table(k=Key(int), x=int)

    register(0, x) < +-message(_, x)


class LastByTime(Program):  # M14
    message = channel(to=Address, x=int)
    register = table(k=Key(int), x=Max(int))

    register(0, x) <= message(_, x)


class Entangled(Program):  # M20
    message = channel(to=Address, x=int)
    log = table(x=int, at=int)

    log(x, tick_number()) <= message(_, x)


class Counter(Program):  # M35: not idempotent
    message = channel(to=Address, x=int)
    total = table(k=Key(int), n=int)
    hits = scratch(n=int)

    total <= [(0, 0)]
    hits(count()) <= message(_, _)
    total(0, n + v) < +-hits(n) & total(0, v)


class KeyRace(Program):  # M38
    request = channel(to=Address, owner=str)
    lock = table(k=Key(int), owner=str)

    lock(0, x) < +request(_, x) & notin(lock(0, _))


class Gossip(Program):  # M39: a retry loop; its timer fires for ever
    message = channel(to=Address, x=int)
    every = periodic(1.0)
    log = table(x=int)
    echo = channel(to=Address, x=int)

    log(x) <= message(_, x)
    log(x) <= echo(_, x)
    echo(a, x) < ~every(_) & message(a, x)


class TwoAtOnce(Program):
    """An invariant that only a batch breaks."""

    message = channel(to=Address, x=int)
    broken = invariant(x=int, y=int)

    broken(x, y) <= message(_, x) & message(_, y) & (x < y)
