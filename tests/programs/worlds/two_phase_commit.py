"""Two-phase commit and an auditor, whom all tell how they voted and what came of it."""

from bloomish import (
    Address, Cluster, Program, _, channel, eventually, here, invariant, notin, roster, scratch,
    table, variables,
)
from bloomish.programs.two_phase_commit import Coordinator, Participant

commit, node, other, tx, yes = variables("commit node other tx yes")


class Audit(Program):
    """What nodes tell, again and again."""

    auditors = roster("auditor")
    told_outcome = channel(to=Address, tx=str, commit=bool)
    told_vote = channel(to=Address, tx=str, node=Address, yes=bool)


class AuditedCoordinator(Coordinator, Audit):
    """Nothing stays open for ever."""

    settled = eventually(node=Address)

    Audit.told_outcome(node, tx, True) <~ Coordinator.committed(tx) & Audit.auditors(node)
    Audit.told_outcome(node, tx, False) <~ Coordinator.rejected(tx) & Audit.auditors(node)
    settled(here) <= Coordinator.coordinators(here) & notin(Coordinator.open(_))


class AuditedParticipant(Participant, Audit):
    """Who is in doubt for ever says so."""

    unsaid = scratch(tx=str)
    settled = eventually(node=Address)

    Audit.told_outcome(node, tx, commit) <~ Participant.outcome(tx, commit) & Audit.auditors(node)
    Audit.told_vote(node, tx, here, yes) <~ Participant.voted(tx, _, yes) & Audit.auditors(node)
    unsaid(tx) <= Participant.in_doubt(tx, _) & notin(Participant.blocked(tx, _))
    settled(here) <= Participant.participants(here) & notin(unsaid(_))


class Auditor(Audit):
    """All or nothing; nothing against a veto; one vote each."""

    outcomes = table(tx=str, commit=bool, durable=True)
    votes = table(tx=str, node=Address, yes=bool, durable=True)
    torn = invariant(tx=str)
    against_a_no = invariant(tx=str, node=Address)
    voted_twice = invariant(tx=str, node=Address)

    outcomes(tx, commit) <= Audit.told_outcome(_, tx, commit)
    votes(tx, node, yes) <= Audit.told_vote(_, tx, node, yes)
    torn(tx) <= outcomes(tx, True) & outcomes(tx, False)
    against_a_no(tx, node) <= outcomes(tx, True) & votes(tx, node, False)
    voted_twice(tx, node) <= votes(tx, node, True) & votes(tx, node, False)


cluster = Cluster(
    coordinator=AuditedCoordinator, participant=AuditedParticipant * 3, auditor=Auditor
)
