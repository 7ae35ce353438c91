"""Paxos Commit: two-phase commit in which every vote is decided by Paxos, so that nothing blocks.

Source: Gray, Lamport, "Consensus on Transaction Commit" (TODS 2006).

A participant's vote on a transaction is a decision of single-decree Paxos (`paxos.py`): one
instance for each, named `transaction/participant`, with the value `prepared` or `aborted`.  It is
committed when all of its instances are decided as prepared, and aborted when one is decided as
aborted.  That is a function of decisions alone, so every node that knows them can tell the outcome,
and no single node's log is needed for it.

Only the participant ever proposes `prepared`.  The leader proposes `aborted` for a participant that
the failure detector takes for dead; if that participant has voted after all, Paxos decides between
the two, once.  As long as a majority of the nodes is up, no participant stays in doubt.
"""

from bloomish import (
    Address, Cluster, Key, _, channel, here, input, notin, output, protocol, roster,
    scratch, table, use, variables,
)
from bloomish.programs.failure_detector import FailureDetector
from bloomish.programs.paxos import Learner, Node, Paxos

commit, instance, leader, node, participant, tx, value = variables(
    "commit instance leader node participant tx value"
)

PREPARED = "prepared"
ABORTED = "aborted"


class Commit(Paxos):
    """What nodes and participants say to each other, beside Paxos itself."""

    participants = roster("participant")
    health = use(FailureDetector)           # of participants by nodes, and the other way round

    start = channel(to=Address, tx=str)
    prepare_tx = channel(to=Address, tx=str, node=Address)
    decision = channel(to=Address, tx=str, commit=bool, node=Address)
    ack = channel(to=Address, tx=str, participant=Address)


class Manager(Node, Commit):
    """A node that manages transactions: the leader asks and tells, all of them know."""

    protocol(by=("every vote is a decision of Paxos", "unanimous votes"))

    begin = input(tx=str)
    result = output(tx=str, commit=bool)

    transactions = table(tx=str, durable=True)
    votes = table(tx=str, participant=Address, value=str)
    lacking = scratch(tx=str)
    outcome = table(tx=Key(str), commit=bool, durable=True)
    acked = table(tx=str, participant=Address)

    Commit.health.told(participant) <= Commit.participants(participant)
    Commit.health.watched(participant) <= Commit.participants(participant)

    transactions(tx) <= begin(tx)
    transactions(tx) <= Commit.start(_, tx)
    Commit.start(leader, tx) <~ (
        transactions(tx) & Node.detector.leader(leader) & (leader != here)
        & notin(outcome(tx, _))
    )
    Commit.prepare_tx(participant, tx, here) <~ (
        transactions(tx) & Node.detector.leader(here) & Commit.participants(participant)
        & notin(votes(tx, participant, _)) & notin(outcome(tx, _))
    )

    votes(tx, participant, value) <= (
        transactions(tx) & Commit.participants(participant)
        & Learner.decided(instance, value) & (instance == tx + "/" + participant)
    )
    Node.wish(tx + "/" + participant, ABORTED) <+ (
        transactions(tx) & Node.detector.leader(here) & Commit.health.suspect(participant)
        & notin(votes(tx, participant, _)) & notin(outcome(tx, _))
    )

    lacking(tx) <= (
        transactions(tx) & Commit.participants(participant)
        & notin(votes(tx, participant, PREPARED))
    )
    outcome(tx, True) <+ transactions(tx) & notin(lacking(tx))
    outcome(tx, False) <+ votes(tx, _, ABORTED)
    result(tx, commit) <= outcome(tx, commit)

    Commit.decision(participant, tx, commit, here) <~ (
        outcome(tx, commit) & Node.detector.leader(here) & Commit.participants(participant)
        & notin(acked(tx, participant))
    )
    acked(tx, participant) <= Commit.ack(_, tx, participant)


class Participant(Commit):
    """Votes yes to what its host has not vetoed before it is asked."""

    protocol(by=("one vote, logged before it is sent", "what Paxos has decided"))

    veto = input(tx=str)
    done = output(tx=str, commit=bool)

    vetoed = table(tx=str, durable=True)
    asked = scratch(tx=str)
    said = table(tx=Key(str), value=str, durable=True)
    outcome = table(tx=Key(str), commit=bool, durable=True)
    in_doubt = scratch(tx=str, value=str)

    Commit.health.told(node) <= Paxos.nodes(node)
    Commit.health.watched(node) <= Paxos.nodes(node)

    vetoed(tx) <= veto(tx)
    asked(tx) <= (
        Commit.prepare_tx(_, tx, _) & notin(said(tx, _)) & notin(outcome(tx, _))
    )
    said(tx, PREPARED) <+ asked(tx) & notin(vetoed(tx))
    said(tx, ABORTED) <+ asked(tx) & vetoed(tx)
    in_doubt(tx, value) <= said(tx, value) & notin(outcome(tx, _))

    # To whoever leads, until it is told: a new leader learns from it of the transaction, too.
    Paxos.forward(leader, tx + "/" + here, value) <~ (
        in_doubt(tx, value) & Commit.health.leader(leader)
    )
    Commit.start(leader, tx) <~ in_doubt(tx, _) & Commit.health.leader(leader)

    outcome(tx, commit) <+ Commit.decision(_, tx, commit, _) & notin(outcome(tx, _))
    Commit.ack(node, tx, here) <~ Commit.decision(_, tx, _, node)
    done(tx, commit) <= outcome(tx, commit)


cluster = Cluster(node=Manager * 3, participant=Participant * 3)
