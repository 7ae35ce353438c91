"""Clients of the replicated store as rules: sessions that call again as soon as they are answered.

A command is 16 bytes: `put`s of an 8-byte value under one of 1,000 8-byte keys.
"""

from bloomish import Cluster, Key, _, input, now, output, table, variables
from bloomish.programs.multipaxos import Client, Replica

key, last, number, place, session, then, value = variables(
    "key last number place session then value"
)

KEYS = 1_000
SAMPLED = 5
"""Sessions of which every answer's latency is told: equals among equals."""


class Load(Client):
    """A session calls once it is told how far to go, and goes on from there."""

    word = input(place=int, key=str, value=str)
    go = input(session=int, number=int, last=int)
    done = output(session=int)
    took = output(seconds=float, session=int, number=int)

    words = table(place=Key(int), key=str, value=str)
    goal = table(session=Key(int), last=int)
    begun = table(session=Key(int), at=float)

    words(place, key, value) <= word(place, key, value)
    goal(session, last) <+- go(session, _, last)
    begun(session, now()) <+- go(session, _, _) & (session < SAMPLED)
    Client.waiting(session, number, "put", key, value, "") <+ (
        go(session, number, _) & words((number + 7 * session) % KEYS, key, value)
    )

    Client.waiting(session, number + 1, "put", key, value, "") <+ (
        Client.answer(session, number, _, _) & goal(session, last) & (number < last)
        & words((number + 1 + 7 * session) % KEYS, key, value)
    )
    begun(session, now()) <+- Client.answer(session, _, _, _) & begun(session, _)
    took(now() - then, session, number) <= (
        Client.answer(session, number, _, _) & begun(session, then)
    )
    done(session) <= Client.answer(session, number, _, _) & goal(session, number)


cluster = Cluster(replica=Replica * 3, client=Load)
