"""Two-phase commit with presumed abort: all participants commit a transaction, or none does.

Source: Gray, "Notes on Data Base Operating Systems" (1978) for the protocol; Mohan, Lindsay,
Obermarck, "Transaction Management in the R* Distributed Database Management System" (TODS 1986)
for presumed abort.

- A participant logs its vote before it sends it.  Having voted yes it is in doubt: it has given its
  veto away, and repeats its vote, which is also the question for the outcome, until it is told.
- The coordinator logs a commit before it tells anybody.  It logs nothing else: of a transaction of
  which it knows nothing it says that it was aborted.  So an abort costs no write, and a coordinator
  that comes back needs to remember its commits alone.
- When all participants have acknowledged a commit, the coordinator forgets it.
- A participant remembers outcomes, so a request that comes late never opens a transaction again.

A transaction's name is used once.  The protocol blocks: a participant in doubt whose coordinator is
silent can do nothing but wait, and says so in `blocked`.  The failure detector is asked for that
report, and by the coordinator for giving a transaction up; neither can make outcomes differ.
"""

from bloomish import (
    Address, Cluster, Key, Program, SetUnion, _, channel, here, input, notin, output,
    protocol, roster, scratch, size, table, use, variables,
)
from bloomish.programs.failure_detector import FailureDetector

commit, coordinator, participant, tx, voters = variables(
    "commit coordinator participant tx voters"
)


class Commit(Program):
    """What a coordinator and its participants say to each other."""

    coordinators = roster("coordinator")
    participants = roster("participant")

    prepare = channel(to=Address, tx=str, coordinator=Address)
    vote = channel(to=Address, tx=str, participant=Address, yes=bool)
    decision = channel(to=Address, tx=str, commit=bool, coordinator=Address)
    ack = channel(to=Address, tx=str, participant=Address)

    detector = use(FailureDetector)
    detector.told(participant) <= participants(participant)
    detector.told(coordinator) <= coordinators(coordinator)


class Coordinator(Commit):
    """Asks for votes, decides, tells."""

    protocol(by=("unanimous votes", "a decision that is logged before it is told"))

    begin = input(tx=str)
    give_up = input(tx=str)                 # the host does not want to wait any longer
    result = output(tx=str, commit=bool)

    open = table(tx=str)                    # not decided; what a crash takes is thereby aborted
    yes = table(tx=Key(str), voters=SetUnion(Address))
    unanimous = scratch(tx=str)
    rejected = scratch(tx=str)
    committed = table(tx=str, durable=True)
    acked = table(tx=str, participant=Address)
    awaited = scratch(tx=str)

    Commit.detector.watched(participant) <= Commit.participants(participant)

    open(tx) <= begin(tx) & notin(committed(tx))
    Commit.prepare(participant, tx, here) <~ (
        open(tx) & Commit.participants(participant)
    )

    # What comes first: all have said yes; or one says no, is silent, or the host gives up.
    yes(tx, {participant}) <= Commit.vote(_, tx, participant, True) & open(tx)
    unanimous(tx) <= open(tx) & yes(tx, voters) & (size(voters) >= size(Commit.participants))
    rejected(tx) <= open(tx) & Commit.vote(_, tx, _, False) & notin(unanimous(tx))
    rejected(tx) <= open(tx) & give_up(tx) & notin(unanimous(tx))
    rejected(tx) <= open(tx) & Commit.detector.suspect(_) & notin(unanimous(tx))
    open(tx) <- unanimous(tx)
    open(tx) <- rejected(tx)
    yes(tx, voters) <- yes(tx, voters) & notin(open(tx))

    # A commit is told until all have acknowledged it, and then forgotten.
    committed(tx) <+ unanimous(tx)
    Commit.decision(participant, tx, True, here) <~ (
        committed(tx) & Commit.participants(participant) & notin(acked(tx, participant))
    )
    acked(tx, participant) <= Commit.ack(_, tx, participant) & committed(tx)
    awaited(tx) <= (
        committed(tx) & Commit.participants(participant) & notin(acked(tx, participant))
    )
    committed(tx) <- committed(tx) & notin(awaited(tx))
    acked(tx, participant) <- acked(tx, participant) & notin(committed(tx))

    # An abort is told at once, and to whoever asks about what is not known: it is presumed.
    Commit.decision(participant, tx, False, here) <~ (
        rejected(tx) & Commit.participants(participant)
    )
    Commit.decision(participant, tx, False, here) <~ (
        Commit.vote(_, tx, participant, True) & notin(open(tx)) & notin(committed(tx))
    )

    result(tx, True) <= committed(tx)
    result(tx, False) <= rejected(tx)


class Participant(Commit):
    """Votes yes to what its host has not vetoed before it is asked."""

    protocol(by=("one vote, logged before it is sent", "the coordinator's decision"))

    veto = input(tx=str)
    done = output(tx=str, commit=bool)
    blocked = output(tx=str, coordinator=Address)

    vetoed = table(tx=str, durable=True)
    asked = scratch(tx=str, coordinator=Address)
    voted = table(tx=Key(str), coordinator=Address, yes=bool, durable=True)
    outcome = table(tx=Key(str), commit=bool, durable=True)
    in_doubt = scratch(tx=str, coordinator=Address)

    Commit.detector.watched(coordinator) <= Commit.coordinators(coordinator)

    vetoed(tx) <= veto(tx)
    asked(tx, coordinator) <= Commit.prepare(_, tx, coordinator) & notin(voted(tx, _, _))
    voted(tx, coordinator, True) <+ asked(tx, coordinator) & notin(vetoed(tx))
    voted(tx, coordinator, False) <+ asked(tx, coordinator) & vetoed(tx)

    # Who says no has decided; who says yes asks until it is told.
    outcome(tx, False) <= voted(tx, _, False)
    in_doubt(tx, coordinator) <= voted(tx, coordinator, True) & notin(outcome(tx, _))
    Commit.vote(coordinator, tx, here, False) <~ (
        Commit.prepare(_, tx, coordinator) & vetoed(tx) & notin(voted(tx, _, True))
    )
    Commit.vote(coordinator, tx, here, True) <~ in_doubt(tx, coordinator)

    outcome(tx, commit) <+ Commit.decision(_, tx, commit, _) & in_doubt(tx, _)
    Commit.ack(coordinator, tx, here) <~ (
        Commit.decision(_, tx, True, coordinator) & voted(tx, _, True)
    )

    done(tx, commit) <= outcome(tx, commit)
    blocked(tx, coordinator) <= (
        in_doubt(tx, coordinator) & Commit.detector.suspect(coordinator)
    )


cluster = Cluster(coordinator=Coordinator, participant=Participant * 3)
