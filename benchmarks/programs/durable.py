"""What the benchmark of durable state runs: a table that hosts write to, and closed-loop clients
of the replicated store, half of whose calls are reads."""

from bloomish import Cluster, Key, Program, _, input, table, variables
from bloomish.programs.multipaxos import Client, Replica

from .sessions import WORDS, Sessions

key, last, number, session, value = variables("key last number session value")


class Kept(Program):
    """Rows that are kept, by key: a second row of a key replaces the first."""

    write = input(key=int, value=str)
    kept = table(key=Key(int), value=str, durable=True)

    kept(key, value) <+- write(key, value)


class Caller(Sessions):
    """Puts and gets in turn, as the clients of etcd beside it do them."""

    Client.waiting(session, number + 1, "put", key, value, "") <+ (
        Client.answer(session, number, _, _) & Sessions.goal(session, last) & (number < last)
        & (number % 2 == 0) & Sessions.words((number + 1 + 7 * session) % WORDS, key, value)
    )
    Client.waiting(session, number + 1, "get", key, "", "") <+ (
        Client.answer(session, number, _, _) & Sessions.goal(session, last) & (number < last)
        & (number % 2 == 1) & Sessions.words((number + 1 + 7 * session) % WORDS, key, _)
    )


cluster = Cluster(replica=Replica * 3, client=Caller)
