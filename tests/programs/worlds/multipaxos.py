"""The replicated store, and an auditor, whom replicas tell their log and clients their answers.

Clients append words of their own to a value, so every answer tells the whole history of its key:
in a linearizable history, of any two answers one is the beginning of the other, and none is shorter
than one that was there before it was asked for.
"""

from bloomish import (
    Address, Any, Cluster, Key, Max, Program, _, channel, eventually, function, here, input,
    invariant, notin, roster, table, variables,
)
from bloomish.programs.multipaxos import Client, Log, Replica

batch, client, key, known, node, number, other, replica, session, slot, value = variables(
    "batch client key known node number other replica session slot value"
)


@function
def length(value: str) -> int:
    return len(value)


@function
def forked(one: str, two: str) -> bool:
    """Is neither the beginning of the other?"""
    return not one.startswith(two) and not two.startswith(one)


@function
def repeats(value: str) -> bool:
    """Does a word stand twice?"""
    words = value.split()
    return len(words) != len(set(words))


class Audit(Program):
    """What nodes tell, again and again."""

    auditors = roster("auditor")
    told_entry = channel(to=Address, slot=int, batch=Any)
    told_answer = channel(to=Address, key=str, value=str)


class AuditedReplica(Replica, Audit):
    """Detectors may be as wrong as they like: who usurps takes itself for the leader until it next
    looks at the clock."""

    usurp = input(number=int)
    usurping = table(number=int)
    entries = table(slot=int, batch=Any, durable=True)
    executed_twice = invariant(key=str, value=str)

    usurping(number) <= usurp(number)
    usurping(number) <- usurping(number) & Log.detector.beat(_)
    Log.detector.leader(here) <= usurping(_)

    entries(slot, batch) <= Log.log(slot, batch)
    Audit.told_entry(node, slot, batch) <~ entries(slot, batch) & Audit.auditors(node)
    executed_twice(key, value) <= Replica.store(key, value) & repeats(value)


class AuditedClient(Client, Audit):
    """Every call is answered, with all that was answered before the call.  A client that is misled
    takes yet another replica for the leader until it next looks at the clock."""

    misled = input(replica=Address)
    misleading = table(replica=Address)
    longest = table(key=Key(str), length=Max(int))
    begun = table(session=Key(int), number=Key(int), key=Key(str), known=Max(int))
    answers = table(key=str, value=str)
    stale = invariant(session=int, number=int, value=str)
    settled = eventually(node=Address)

    misleading(replica) <= misled(replica)
    misleading(replica) <- misleading(replica) & Client.detector.beat(_)
    Client.detector.leader(replica) <= misleading(replica)

    begun(session, number, key, known) <= (
        Client.invoke(session, number, _, key, _, _) & longest(key, known)
    )
    answers(key, value) <= (
        Client.answer(session, number, _, value)
        & Client.waiting(session, number, _, key, _, _)
    )
    longest(key, length(value)) <+ answers(key, value)
    stale(session, number, value) <= (
        Client.answer(session, number, _, value) & begun(session, number, key, known)
        & (length(value) < known)
    )
    Audit.told_answer(node, key, value) <~ answers(key, value) & Audit.auditors(node)
    settled(here) <= Client.replicas(_) & notin(Client.waiting(_, _, _, _, _, _))


class Auditor(Audit):
    """One batch per slot, one history per key."""

    seen = table(slot=int, batch=Any, durable=True)
    answers = table(key=str, value=str, durable=True)
    torn = invariant(slot=int)
    fork = invariant(one=str, two=str)

    seen(slot, batch) <= Audit.told_entry(_, slot, batch)
    answers(key, value) <= Audit.told_answer(_, key, value)
    torn(slot) <= seen(slot, batch) & seen(slot, other) & (batch < other)
    fork(value, other) <= (
        answers(key, value) & answers(key, other) & forked(value, other) & (value < other)
    )


cluster = Cluster(replica=AuditedReplica * 3, client=AuditedClient, auditor=Auditor)
