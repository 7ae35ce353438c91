"""Five nodes that tell each other that they are alive, and replicate a map."""

from bloomish import (
    Address,
    Cluster,
    Key,
    Max,
    Program,
    _,
    channel,
    here,
    input,
    periodic,
    roster,
    table,
    variables,
)  # fmt: skip

key, n, node, peer, value = variables("key n node peer value")


class Heart(Program):
    beat = channel(to=Address, sender=Address, n=int)
    copy = channel(to=Address, key=int, value=int)
    peers = roster("node")
    every = periodic(0.5)
    write = input(key=int, value=int)
    store = table(key=Key(int), value=Max(int))
    last = table(node=Key(Address), n=Max(int))

    store(key, value) <= write(key, value)
    store(key, value) <= copy(_, key, value)
    beat(peer, here, n) <~ every(n) & peers(peer)
    copy(peer, key, value) <~ every(_) & store(key, value) & peers(peer)
    last(node, n) <= beat(_, node, n)


cluster = Cluster(node=Heart * 5)
