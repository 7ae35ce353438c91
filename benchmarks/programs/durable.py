"""What the benchmark of durable state runs: a table that hosts write to, and closed-loop clients
of the replicated store, half of whose calls are reads."""

from bloomish import Cluster, Key, Program, _, input, now, output, table, variables
from bloomish.programs.multipaxos import Client, Replica

key, last, number, place, session, then, value = variables(
    "key last number place session then value"
)

WORDS = 1_000
SAMPLED = 5
"""Sessions of which every answer's latency is told: equals among equals."""


class Kept(Program):
    """Rows that are kept, by key: a second row of a key replaces the first."""

    write = input(key=int, value=str)
    kept = table(key=Key(int), value=str, durable=True)

    kept(key, value) <+- write(key, value)


class Caller(Client):
    """Sessions that call again when they are answered, until they have got so far: puts and gets
    in turn, as the clients of etcd beside it do them."""

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
        go(session, number, _) & words((number + 7 * session) % WORDS, key, value)
    )

    Client.waiting(session, number + 1, "put", key, value, "") <+ (
        Client.answer(session, number, _, _) & goal(session, last) & (number < last)
        & (number % 2 == 0) & words((number + 1 + 7 * session) % WORDS, key, value)
    )
    Client.waiting(session, number + 1, "get", key, "", "") <+ (
        Client.answer(session, number, _, _) & goal(session, last) & (number < last)
        & (number % 2 == 1) & words((number + 1 + 7 * session) % WORDS, key, _)
    )
    begun(session, now()) <+- Client.answer(session, _, _, _) & begun(session, _)
    took(now() - then, session, number) <= (
        Client.answer(session, number, _, _) & begun(session, then)
    )
    done(session) <= Client.answer(session, number, _, _) & goal(session, number)


cluster = Cluster(replica=Replica * 3, client=Caller)
