"""Clients of two-phase commit as rules, in the coordinator: each begins a transaction as soon as
its last one is decided."""

from bloomish import Cluster, Key, _, function, input, output, scratch, table, variables
from bloomish.programs.two_phase_commit import Coordinator, Participant

last, number, session, tx = variables("last number session tx")


@function
def name_of(session: int, number: int) -> str:
    """A transaction's name is used once."""
    return f"{session}.{number}"


class Load(Coordinator):
    """A session begins with one number and goes on to another."""

    go = input(session=int, number=int, last=int)
    done = output(session=int)

    goal = table(session=Key(int), last=int)
    current = table(tx=Key(str), session=int, number=int)
    decided = scratch(tx=str, session=int, number=int)
    next_one = scratch(tx=str, session=int, number=int)

    goal(session, last) <+- go(session, _, last)
    decided(tx, session, number) <= (
        Coordinator.unanimous(tx) & current(tx, session, number)
    )
    next_one(name_of(session, number), session, number) <= go(session, number, _)
    next_one(name_of(session, number + 1), session, number + 1) <= (
        decided(_, session, number) & goal(session, last) & (number < last)
    )
    Coordinator.open(tx) <+ next_one(tx, _, _)
    current(tx, session, number) <+ next_one(tx, session, number)
    current(tx, session, number) <- decided(tx, session, number)
    done(session) <= decided(_, session, number) & goal(session, number)


cluster = Cluster(coordinator=Load, participant=Participant * 3)
