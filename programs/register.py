"""A replicated register: every write replaces what is there, by arrival.

Sources: Lamport, "On Interprocess Communication" (Distributed Computing 1986), for registers;
Herlihy, Wing, "Linearizability" (TOPLAS 1990), for what a client may expect of one; Helland,
"Building on Quicksand" (CIDR 2009), for why writes, other than additions, cannot be reordered.

A client sends every write and every read to all replicas.  Channels keep no order between clients:
of two writes to one name each replica keeps whichever came to it last, for good.  A read is
answered by all replicas, and whoever asked sees that they differ.

Nothing here coordinates: `bloomish check` flags the write, `--coordinate` puts a log before it.
"""

from bloomish import (
    Address, Cluster, Key, Program, _, argmax, channel, here, input, invariant, output, roster,
    table, variables,
)

client, name, number, one, other, replica, value = variables(
    "client name number one other replica value"
)


class Register(Program):
    """What clients and replicas say to each other."""

    write = channel(to=Address, client=Address, number=int, name=str, value=str)
    written = channel(to=Address, number=int)
    read = channel(to=Address, client=Address, number=int, name=str)
    value = channel(to=Address, number=int, value=str)


class Replica(Register):
    """Keeps the value that came last; of those that one tick brings, that of the latest request."""

    register = table(name=Key(str), value=str, durable=True)

    register(name, argmax(value, by=number)) <+- Register.write(_, _, number, name, value)
    Register.written(client, number) <~ Register.write(_, client, number, _, _)
    Register.value(client, number, value) <~ (
        Register.read(_, client, number, name) & register(name, value)
    )


class Client(Register):
    """Passes its host's requests to every replica, and the answers back."""

    replicas = roster("replica")
    put = input(number=int, name=str, value=str)
    get = input(number=Key(int), name=str)
    answers = table(number=int, value=str)
    done = output(number=int)
    got = output(number=int, value=str)
    torn = invariant(number=int, one=str, other=str)

    Register.write(replica, here, number, name, value) <~ (
        put(number, name, value) & replicas(replica)
    )
    Register.read(replica, here, number, name) <~ get(number, name) & replicas(replica)
    done(number) <= Register.written(_, number)
    got(number, value) <= Register.value(_, number, value)

    # Two replicas that answer one read differently.
    answers(number, value) <= Register.value(_, number, value)
    torn(number, one, other) <= answers(number, one) & answers(number, other) & (one < other)


cluster = Cluster(replica=Replica * 3, client=Client * 2)
