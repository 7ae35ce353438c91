"""A register per key on one node, which says that a value is written when it is on disk; and one
that says so when it is not."""

from bloomish import (
    Cluster, Key, Program, _, argmax, input, notin, output, table, variables,
)

id, key, value = variables("id key value")


class Asked(Program):
    """What clients ask for, and what they are told."""

    write = input(id=int, key=str, value=str)
    read = input(id=int, key=str)
    written = output(id=int)
    found = output(id=int, value=str)

    written(id) <= write(id, _, _)


class Durable(Asked):
    """Of writes that share a tick, the one of the highest id is the last."""

    store = table(key=Key(str), value=str, durable=True)

    store(key, argmax(value, by=id)) <+- Asked.write(id, key, value)
    Asked.found(id, value) <= Asked.read(id, key) & store(key, value)
    Asked.found(id, "") <= Asked.read(id, key) & notin(store(key, _))


class Volatile(Asked):
    """The same, and a killed node begins anew."""

    store = table(key=Key(str), value=str)

    store(key, argmax(value, by=id)) <+- Asked.write(id, key, value)
    Asked.found(id, value) <= Asked.read(id, key) & store(key, value)
    Asked.found(id, "") <= Asked.read(id, key) & notin(store(key, _))


durable = Cluster(server=Durable)
volatile = Cluster(server=Volatile)
