"""Clients of the replicated store as rules: sessions that call again when they are answered."""

from bloomish import Key, _, input, now, output, table, variables
from bloomish.programs.multipaxos import Client

key, last, number, session, then, value, place = variables(
    "key last number session then value place"
)

WORDS = 1_000
SAMPLED = 5
"""Sessions of which every answer's latency is told: equals among equals."""


class Sessions(Client):
    """A session calls once it is told how far to go; who inherits this says how it goes on."""

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
    begun(session, now()) <+- Client.answer(session, _, _, _) & begun(session, _)
    took(now() - then, session, number) <= (
        Client.answer(session, number, _, _) & begun(session, then)
    )
    done(session) <= Client.answer(session, number, _, _) & goal(session, number)
