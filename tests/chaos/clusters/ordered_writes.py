"""Registers whose writes have one order at all replicas, and whose reads look at the own replica.

Takada, "Distributed Systems for fun and profit" (2013), chapter 2: sequentially consistent and not
linearizable.  A write is answered when the replica that was asked has applied it.
"""

from bloomish import (
    Cluster, Key, _, field, here, input, notin, output, table, variables,
)
from bloomish.programs.ordering import Outbox, Sequenced, Submitting

command, id, key, value = variables("command id key value")


class Replica(Outbox, Sequenced):
    """Keeps all registers."""

    write = input(id=int, key=str, value=str)
    read = input(id=int, key=str)
    written = output(id=int)
    found = output(id=int, value=str)
    register = table(key=Key(str), value=str, durable=True)

    Submitting.submit((here, id, key, value)) <= write(id, key, value)
    register(field(command, 2, str), field(command, 3, str)) <+- Sequenced.deliver(_, command)
    written(field(command, 1, int)) <= (
        Sequenced.deliver(_, command) & (field(command, 0, str) == here)
    )
    found(id, value) <= read(id, key) & register(key, value)
    found(id, "") <= read(id, key) & notin(register(key, _))


cluster = Cluster(replica=Replica * 3)
