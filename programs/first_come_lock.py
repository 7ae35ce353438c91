"""A lock that belongs to who asks first, until it is released.

Sources: Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System" (CACM 1978),
for mutual exclusion between nodes; Burrows, "The Chubby Lock Service" (OSDI 2006), for the numbers
by which what the lock protects tells its holders apart.

A client asks all replicas.  Whichever request a replica sees first, while the lock is free, has it,
with the next turn; the others are told that they came late.  Replicas see requests in orders of
their own: two clients may hold one turn.  The storage, which the lock protects, hears from every
holder, and says so.

Nothing here coordinates: `bloomish check` flags the grant, `--coordinate` puts a log before it.
"""

from bloomish import (
    Address, Cluster, Key, Program, _, channel, here, input, invariant, min_, notin, output, roster,
    scratch, table, variables,
)

client, held, holder, name, one, other, replica, storage, turn = variables(
    "client held holder name one other replica storage turn"
)


class Lock(Program):
    """What clients, replicas of the lock and the storage behind it say to each other."""

    acquire = channel(to=Address, client=Address, name=str)
    release = channel(to=Address, client=Address, name=str)
    granted = channel(to=Address, name=str, turn=int)
    late = channel(to=Address, name=str)
    enter = channel(to=Address, client=Address, name=str, turn=int)


class Replica(Lock):
    """Gives a free lock to who asks; of those who ask within one tick, to the least address."""

    lock = table(name=Key(str), client=Address, turn=int, held=bool, durable=True)
    grant = scratch(name=Key(str), client=Address, turn=int)

    grant(name, min_(client), 1) <= Lock.acquire(_, client, name) & notin(lock(name, _, _, _))
    grant(name, min_(client), turn + 1) <= (
        Lock.acquire(_, client, name) & lock(name, _, turn, False)
    )
    lock(name, client, turn, True) <+- grant(name, client, turn)
    lock(name, client, turn, False) <+- (
        Lock.release(_, client, name) & lock(name, client, turn, True)
    )

    Lock.granted(client, name, turn) <~ grant(name, client, turn)
    Lock.late(client, name) <~ (
        Lock.acquire(_, client, name) & grant(name, holder, _) & (client != holder)
    )
    Lock.late(client, name) <~ (
        Lock.acquire(_, client, name) & lock(name, holder, _, True) & (client != holder)
    )


class Client(Lock):
    """Asks, uses the storage when it is granted, and lets go, all for its host."""

    replicas = roster("replica")
    storages = roster("storage")
    want = input(name=str)
    leave = input(name=str)
    holds = output(name=str, turn=int)
    missed = output(name=str)

    Lock.acquire(replica, here, name) <~ want(name) & replicas(replica)
    Lock.release(replica, here, name) <~ leave(name) & replicas(replica)
    Lock.enter(storage, here, name, turn) <~ Lock.granted(_, name, turn) & storages(storage)
    holds(name, turn) <= Lock.granted(_, name, turn)
    missed(name) <= Lock.late(_, name)


class Storage(Lock):
    """What the lock protects: it may be used in a turn by one client only."""

    users = table(name=str, turn=int, client=Address, durable=True)
    shared = invariant(name=str, turn=int, one=Address, other=Address)

    users(name, turn, client) <= Lock.enter(_, client, name, turn)
    shared(name, turn, one, other) <= (
        users(name, turn, one) & users(name, turn, other) & (one < other)
    )


cluster = Cluster(replica=Replica * 3, client=Client * 2, storage=Storage)
