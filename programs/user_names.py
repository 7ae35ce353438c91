"""Unique user names: a name belongs to the first who claims it.

Source: Bailis, Fekete, Franklin, Ghodsi, Hellerstein, Stoica, "Coordination Avoidance in Database
Systems" (VLDB 2015), section 5: uniqueness of a value that users choose is not invariant-confluent.

Every registry keeps all names; a client claims at all of them.  Each registry gives a name to whom
it hears first, and registries hear in orders of their own: a name may have two owners, and each
believes that it is theirs.

Nothing here coordinates: `bloomish check` flags the claim, `--coordinate` puts a log before it.
"""

from bloomish import (
    Address, Cluster, Key, Program, _, channel, here, input, invariant, min_, notin, output, roster,
    scratch, table, variables,
)

client, name, one, other, owner, registry, user = variables(
    "client name one other owner registry user"
)


class Names(Program):
    """What clients and registries say to each other."""

    claim = channel(to=Address, client=Address, name=str, user=str)
    belongs = channel(to=Address, name=str, owner=str)


class Registry(Names):
    """Knows whose every name is.  Of those who claim one within a tick, the least has it."""

    owners = table(name=Key(str), owner=str, durable=True)
    first = scratch(name=Key(str), owner=str)

    first(name, min_(user)) <= Names.claim(_, _, name, user) & notin(owners(name, _))
    owners(name, owner) <+ first(name, owner)

    Names.belongs(client, name, owner) <~ Names.claim(_, client, name, _) & first(name, owner)
    Names.belongs(client, name, owner) <~ Names.claim(_, client, name, _) & owners(name, owner)


class Client(Names):
    """Claims names for its users, and tells whose they are."""

    registries = roster("registry")
    want = input(name=str, user=str)
    told = table(name=str, owner=str)
    owned = output(name=str, owner=str)
    two_owners = invariant(name=str, one=str, other=str)

    Names.claim(registry, here, name, user) <~ want(name, user) & registries(registry)
    owned(name, owner) <= Names.belongs(_, name, owner)

    told(name, owner) <= Names.belongs(_, name, owner)
    two_owners(name, one, other) <= told(name, one) & told(name, other) & (one < other)


cluster = Cluster(registry=Registry * 3, client=Client * 2)
