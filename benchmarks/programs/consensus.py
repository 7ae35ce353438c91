"""Sessions that put, again and again: 16 bytes, an 8-byte value under one of 1,000 8-byte keys."""

from bloomish import Cluster, _, variables
from bloomish.programs.multipaxos import Client, Replica

from .sessions import WORDS, Sessions

key, last, number, session, value = variables("key last number session value")


class Load(Sessions):
    """A put for every answer, up to the goal."""

    Client.waiting(session, number + 1, "put", key, value, "") <+ (
        Client.answer(session, number, _, _) & Sessions.goal(session, last) & (number < last)
        & Sessions.words((number + 1 + 7 * session) % WORDS, key, value)
    )


cluster = Cluster(replica=Replica * 3, client=Load)
