"""Broadcast in Python, with `pre` and `post`: once, and again until acknowledged."""

from bloomish import (
    Address,
    Cluster,
    Key,
    Program,
    _,
    channel,
    count,
    here,
    input,
    max_,
    notin,
    roster,
    scratch,
    size,
    table,
    variables,
)  # fmt: skip

n, node, peer, time, text, v = variables("n node peer time text v")


class Spread(Program):
    say = channel(to=Address, sender=Address, text=str)
    got = channel(to=Address, sender=Address, text=str)
    peers = roster("node")
    start = input(text=str)
    crash = input(node=Address, time=int)
    log = table(text=str)
    acked = table(peer=Address, text=str)

    log(text) <= start(text)
    log(text) <= say(_, _, text)
    got(peer, here, text) < ~say(_, peer, text)
    acked(peer, text) <= got(_, peer, text)


class Judged(Spread):
    """What a node has said has reached all that are up."""

    pre = scratch(text=str)
    post = scratch(text=str)
    missing = scratch(text=str)
    mine = table(text=str)

    mine(text) <= Spread.start(text)
    missing(text) <= Spread.log(text) & Spread.peers(peer) & notin(Spread.acked(peer, text)) & (
        notin(Spread.crash(peer, _))
    )
    pre(text) <= mine(text) & notin(Spread.crash(here, _))
    post(text) <= mine(text) & notin(missing(text))


class Once(Judged):
    Spread.say(peer, here, text) < ~Spread.start(text) & Spread.peers(peer)


class Again(Judged):
    Spread.say(peer, here, text) < ~(
        Spread.log(text) & Spread.peers(peer) & notin(Spread.acked(peer, text))
    )


once = Cluster(node=Once * 3)
again = Cluster(node=Again * 3)


class Counting(Program):
    """Keys, replacement, deletion, aggregates, arithmetic: the frames of tables."""

    tick = channel(to=Address, n=int)
    peers = roster("node")
    go = input(n=int)
    total = table(k=Key(int), n=int)
    gone = table(n=int)
    how = scratch(n=int)
    top = scratch(n=int)
    pre = scratch(n=int)
    post = scratch(n=int)

    total <= [(0, 0)]
    gone <= [(7,), (8,)]
    tick(peer, n) < ~go(n) & peers(peer)
    top(max_(n)) <= tick(_, n)
    total(0, v + n) < +-top(n) & total(0, v)
    gone(n) < -gone(n) & tick(_, _) & (n < 8)
    how(count()) <= gone(_)
    pre(n) <= go(n)
    pre(0) <= total(0, _)
    post(0) <= total(0, n) & how(v) & (n - v >= 0) & (v * 2 <= size(peers))


counting = Cluster(node=Counting * 2)
