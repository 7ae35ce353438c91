"""Paxos Commit and an auditor, whom all tell how they voted and what came of it."""

from bloomish import (
    Address, Cluster, Program, _, channel, eventually, here, input, invariant, notin, roster,
    table, variables,
)
from bloomish.programs.paxos import Learner, Node
from bloomish.programs.paxos_commit import Manager, Participant

commit, instance, node, number, other, tx, value = variables(
    "commit instance node number other tx value"
)


class Audit(Program):
    """What nodes tell, again and again."""

    auditors = roster("auditor")
    told_outcome = channel(to=Address, tx=str, commit=bool)
    told_vote = channel(to=Address, tx=str, node=Address, value=str)
    told_decided = channel(to=Address, instance=str, value=str)


class AuditedManager(Manager, Audit):
    """Detectors may be as wrong as they like."""

    usurp = input(number=int)
    usurping = table(number=int)

    usurping(number) <= usurp(number)
    usurping(number) <- usurping(number) & Node.detector.beat(_)
    Node.detector.leader(here) <= usurping(_)

    Audit.told_outcome(node, tx, commit) <~ Manager.outcome(tx, commit) & Audit.auditors(node)
    Audit.told_decided(node, instance, value) <~ (
        Learner.decided(instance, value) & Audit.auditors(node)
    )


class AuditedParticipant(Participant, Audit):
    """Nobody stays in doubt, whoever is dead."""

    settled = eventually(node=Address)

    Audit.told_outcome(node, tx, commit) <~ Participant.outcome(tx, commit) & Audit.auditors(node)
    Audit.told_vote(node, tx, here, value) <~ Participant.said(tx, value) & Audit.auditors(node)
    settled(here) <= Participant.participants(here) & notin(Participant.in_doubt(_, _))


class Auditor(Audit):
    """All or nothing; nothing against a no; one vote each; one decision each."""

    outcomes = table(tx=str, commit=bool, durable=True)
    votes = table(tx=str, node=Address, value=str, durable=True)
    decisions = table(instance=str, value=str, durable=True)
    torn = invariant(tx=str)
    against_a_no = invariant(tx=str, node=Address)
    voted_twice = invariant(tx=str, node=Address)
    decided_twice = invariant(instance=str)

    outcomes(tx, commit) <= Audit.told_outcome(_, tx, commit)
    votes(tx, node, value) <= Audit.told_vote(_, tx, node, value)
    decisions(instance, value) <= Audit.told_decided(_, instance, value)
    torn(tx) <= outcomes(tx, True) & outcomes(tx, False)
    against_a_no(tx, node) <= outcomes(tx, True) & votes(tx, node, "aborted")
    voted_twice(tx, node) <= votes(tx, node, value) & votes(tx, node, other) & (value < other)
    decided_twice(instance) <= (
        decisions(instance, value) & decisions(instance, other) & (value < other)
    )


cluster = Cluster(node=AuditedManager * 3, participant=AuditedParticipant * 2, auditor=Auditor)
