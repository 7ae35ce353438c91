"""One order of messages for a set of nodes: what comes first, everywhere.

Sources: Schneider, "Implementing Fault-Tolerant Services Using the State Machine Approach"
(Computing Surveys 1990); the fixed sequencer after Defago, Schiper, Urban, "Total Order Broadcast
and Multicast Algorithms" (Computing Surveys 2004), section 4.1; sessions after Ongaro, "Consensus:
Bridging Theory and Practice" (2014), section 6.3.

Submitters embed an `Outbox` and derive `submit` or `keep`; replicas embed `Sequenced` and read
`deliver`: every command once, at every replica in the same order, one in a tick at most.  What a
command is, this module does not ask.

- A submitter numbers its commands and repeats each of them until it hears that the command is in
  the log.  A command is told from others by its submitter and its number, so that repeating it has
  no effect.
- With every command goes a number below which all are in the log (or given up), so that what is
  remembered to tell repetitions does not grow with the log.
- No number is used twice, not even by a submitter that has crashed: they are reserved in blocks, on
  disk.  What was submitted and not yet accepted is lost with the submitter, as a message would be
  (it may be delivered, once); what is kept goes on after a restart, as long as it is derived.

- A command whose delivery fails is passed over: the runtime feeds `skip` then.  It fails at every
  replica alike, since what is made of delivered commands is the same.

Safe with any loss, repetition, order and delay of messages, any crash and restart.  Lost disks are
not survived.  There is no clock in here, and what is repeated is a standing send.
"""

from bloomish import (
    Address, Any, Key, Max, Program, _, channel, count, each, field, here, index, input, min_,
    notin, protocol, roster, scratch, table, use, variables,
)
from bloomish.programs.failure_detector import FailureDetector
from bloomish.programs.multipaxos import Log

command, count_, first, limit, low, number, rank, replica, session, slot, standing = variables(
    "command count_ first limit low number rank replica session slot standing"
)
block, entry, leader, old, parts, row, sequencer, yes = variables(
    "block entry leader old parts row sequencer yes"
)

BLOCK = 1000
"""Numbers that are reserved at once, beyond those that are needed."""
STEP = 8
"""Numbers that are settled together, so that what is remembered is not gone through too often."""
WINDOW = 500
"""Numbers in a block; commands of the first two blocks are under way at once."""
SEEN, LOWS = "ordering: seen", "ordering: lows"
"""The names of this module's own rows in an image."""
SHOWN = 64
"""Delivered commands that stay in the log, for whoever wants to look."""


class Ordering(Program):
    """What submitters and replicas say to each other."""

    submission = channel(to=Address, session=Address, number=int, low=int, command=Any)
    accepted = channel(to=Address, number=int)


# ------------------------------------------------------------------ who submits


class Submitting(Ordering):
    """Numbers commands, and keeps each until it is accepted."""

    protocol(by="one number for each command")

    submit = scratch(command=Any)       # each row of each tick is a command of its own
    keep = scratch(command=Any)         # a command once, for as long as it stays derived

    reserved = table(number=Max(int), durable=True)     # no number from here on was ever used
    next = table(number=Max(int))
    base = scratch(number=int)
    settled = table(number=Max(int))                    # all below are accepted, or given up
    outstanding = table(number=Key(int), low=int, command=Any)
    kept = table(command=Key(Any), number=int, low=int, durable=True)
    arriving = scratch(standing=bool, command=Any)
    ranked = scratch(rank=int, standing=bool, command=Any)
    counted = scratch(count=int)
    remaining = scratch(number=int)

    reserved <= [(0,)]
    settled <= [(0,)]

    # --- a start: numbers that were never used, and what was kept

    base(number) <= next(number)
    base(number) <= reserved(number) & notin(next(_))
    next(number) <+ reserved(number) & notin(next(_))
    outstanding(number, low, command) <+ kept(command, number, low) & notin(next(_))

    # --- a command gets its number in the tick in which it comes

    arriving(False, command) <= submit(command)
    arriving(True, command) <= keep(command) & notin(kept(command, _, _))
    ranked(index((standing, command)), standing, command) <= arriving(standing, command)
    counted(count()) <= arriving(_, _)
    outstanding(number + rank, low, command) <= (
        ranked(rank, _, command) & base(number) & settled(low)
    )
    kept(command, number + rank, low) <+ (
        ranked(rank, True, command) & base(number) & settled(low)
    )
    next(number + count_) <+ base(number) & counted(count_)
    reserved(number + count_ + BLOCK) <+ (
        base(number) & counted(count_) & reserved(limit) & (number + count_ > limit)
    )
    kept(command, number, low) <- kept(command, number, low) & notin(keep(command))

    # --- outstanding until it is accepted

    outstanding(number, low, command) <- (
        outstanding(number, low, command) & Ordering.accepted(_, number)
    )
    remaining(number) <= outstanding(number, _, _) & notin(Ordering.accepted(_, number))
    settled(min_(number // STEP * STEP)) <+ remaining(number)


# ------------------------------------------------------------------ a fixed sequencer


class Sequencing(Ordering):
    """The order is made by the least of the replicas."""

    replicas = roster("replica")
    sequencer = scratch(node=Address)
    sequencer(min_(replica)) <= replicas(replica)

    entry = channel(to=Address, slot=int, command=Any)
    stored = channel(to=Address, replica=Address, slot=int)


class Outbox(Submitting, Sequencing):
    """For whoever submits to `Sequenced` replicas."""

    Ordering.submission(replica, here, number, low, command) <~ (
        Submitting.outstanding(number, low, command) & Sequencing.sequencer(replica)
    )


class Sequenced(Sequencing):
    """The least replica numbers the commands and tells the others, each until it has stored them.

    2n messages for a command with n replicas, two messages before it is delivered at all; stands
    still while the sequencer is down.  What a replica that is down has not stored is kept for it.
    """

    deliver = scratch(slot=int, command=Any)
    skip = input(rule=str)
    protocol(by=("one node numbers all", "one slot per tick"), ordered=deliver)

    # --- the sequencer: a slot for every command that it has not seen

    free = table(slot=Max(int), durable=True)
    seen = table(session=Address, number=int, durable=True)
    lows = table(session=Key(Address), low=Max(int), durable=True)      # below it all are seen
    unstored = table(replica=Key(Address), slot=Key(int), command=Any, durable=True)
    known = scratch(session=Address, number=int)
    fresh = scratch(session=Address, number=int, command=Any)
    queue = scratch(rank=int, command=Any)
    queued = scratch(count=int)
    sequenced = scratch(slot=int, command=Any)

    free <= [(1,)]

    lows(session, low) <= Ordering.submission(_, session, _, low, _)
    known(session, number) <= (
        Ordering.submission(_, session, number, _, _) & seen(session, number)
    )
    known(session, number) <= (
        Ordering.submission(_, session, number, _, _) & lows(session, low) & (number < low)
    )
    fresh(session, number, command) <= (
        Ordering.submission(_, session, number, _, command) & Sequencing.sequencer(here)
        & notin(known(session, number))
    )
    queue(index((session, number, command)), command) <= fresh(session, number, command)
    queued(count()) <= fresh(_, _, _)
    sequenced(slot + rank, command) <= queue(rank, command) & free(slot)
    free(slot + count_) <+ free(slot) & queued(count_)

    seen(session, number) <+ fresh(session, number, _)
    seen(session, number) <- seen(session, number) & lows(session, low) & (number < low)

    # By the end of the tick it is on the sequencer's disk, if it was not before.
    Ordering.accepted(session, number) <~ (
        Ordering.submission(_, session, number, _, _) & Sequencing.sequencer(here)
    )

    unstored(replica, slot, command) <= (
        sequenced(slot, command) & Sequencing.replicas(replica) & (replica != here)
    )
    Sequencing.entry(replica, slot, command) <~ unstored(replica, slot, command)
    unstored(replica, slot, command) <- (
        unstored(replica, slot, command) & Sequencing.stored(_, replica, slot)
    )

    # --- every replica: one slot per tick, apart from the messages that brought it

    log = table(slot=Key(int), command=Any, durable=True)
    applied = table(slot=Max(int), durable=True)            # the slot to be delivered next
    turn = scratch(slot=int, command=Any)

    applied <= [(1,)]

    log(slot, command) <+ sequenced(slot, command)
    log(slot, command) <+ Sequencing.entry(_, slot, command) & applied(first) & (slot >= first)
    Sequencing.stored(sequencer, here, slot) <~ (
        Sequencing.entry(_, slot, _) & Sequencing.sequencer(sequencer)
    )
    turn(slot, command) <= applied(slot) & log(slot, command)
    deliver(slot, command) <= turn(slot, command) & notin(skip(_))
    # What is delivered is an event: of two equal commands in a row, each has its effect.
    deliver(slot, command) <= (
        turn(slot, command) & Sequencing.entry(_, slot, command) & notin(skip(_))
    )
    applied(slot + 1) <+ turn(slot, _)
    log(old, command) <- turn(slot, _) & log(old, command) & (old == slot - SHOWN)


class SequencedPeer(Sequenced, Outbox):
    """A replica that submits too."""


# ------------------------------------------------------------------ consensus


class Watching(Program):
    """What a submitter has where replicas have their log: a detector that watches them."""

    replicas = roster("replica")
    detector = use(FailureDetector)
    detector.watched(replica) <= replicas(replica)


class Windowed(Submitting):
    """Submits to the `target` what is outstanding, as long as it is near the first: who leads puts
    all that it has into one batch, and that has to find room in a frame."""

    target = scratch(replica=Address)
    oldest = scratch(block=int)
    near = scratch(block=int)

    oldest(min_(number // WINDOW)) <= Submitting.outstanding(number, _, _)
    near(block) <= oldest(block)
    near(block + 1) <= oldest(block)
    Ordering.submission(replica, here, number, low, command) <~ (
        Submitting.outstanding(number, low, command) & (block == number // WINDOW) & near(block)
        & target(replica)
    )


class DetectingOutbox(Windowed):
    """For whoever submits to `Replicated` replicas: to the one that seems to lead."""

    log = use(Watching)
    Windowed.target(replica) <= log.detector.leader(replica)


class Replicating(Ordering):
    """What replicas pass on to the one that leads."""

    passed = channel(to=Address, session=Address, number=int, low=int, command=Any)


class Replicated(Replicating):
    """The log of Multi-Paxos: goes on while a majority of the replicas is up.

    What is not in the log yet is proposed again by whoever leads next.  A command may thus get into
    the log twice; the second is skipped, which all replicas do alike, since who remembers what is a
    matter of the log alone.

    The state of whoever reads `deliver` has to be carried by images as well: derive `part` from it,
    in rows that begin with a name, when `imaged`; and replace it by these rows when `installed`.
    """

    deliver = scratch(slot=int, command=Any)
    skip = input(rule=str)
    installed = scratch(slot=int, parts=Any)
    imaged = scratch(replica=Address)
    part = scratch(row=Any)
    submitters = scratch(node=Address)          # who is told that this replica lives
    turn = scratch(slot=int, session=Address, number=int, low=int, command=Any)
    protocol(by=("the log", "one slot per tick"), ordered=(deliver, installed))

    log = use(Log)
    log.detector.told(replica) <= submitters(replica)

    # --- into the log, by whoever leads; again when it has won the right to

    seen = table(session=Address, number=int, durable=True)
    lows = table(session=Key(Address), low=Max(int), durable=True)      # below it all are seen
    waiting = table(session=Key(Address), number=Key(int), low=int, command=Any)
    incoming = scratch(session=Address, number=int, low=int, command=Any)
    known = scratch(session=Address, number=int)
    fresh = scratch(session=Address, number=int, low=int, command=Any)
    was_ready = table(yes=bool)
    rising = scratch(yes=bool)

    incoming(session, number, low, command) <= (
        Ordering.submission(_, session, number, low, command)
    )
    incoming(session, number, low, command) <= (
        Replicating.passed(_, session, number, low, command)
    )
    known(session, number) <= incoming(session, number, _, _) & seen(session, number)
    known(session, number) <= (
        incoming(session, number, _, _) & lows(session, low) & (number < low)
    )
    Ordering.accepted(session, number) <~ known(session, number)
    Replicating.passed(leader, session, number, low, command) <~ (
        Ordering.submission(_, session, number, low, command) & log.detector.leader(leader)
        & (leader != here) & notin(known(session, number))
    )

    fresh(session, number, low, command) <= (
        incoming(session, number, low, command) & log.detector.leader(here)
        & notin(known(session, number)) & notin(waiting(session, number, _, _))
        & notin(turn(_, session, number, _, _))
    )
    waiting(session, number, low, command) <+ fresh(session, number, low, command)
    log.propose((session, number, low, command)) <= (
        fresh(session, number, low, command) & log.ready(_)
    )
    rising(True) <= log.ready(_) & notin(was_ready(True))
    log.propose((session, number, low, command)) <= (
        rising(_) & waiting(session, number, low, command)
    )
    was_ready(True) <+ log.ready(_)
    was_ready(yes) <- was_ready(yes) & notin(log.ready(_))
    waiting(session, number, low, command) <- (
        waiting(session, number, low, command) & turn(_, session, number, _, _)
    )
    # Who does not lead leaves it to submitters to repeat what is not accepted.
    waiting(session, number, low, command) <- (
        waiting(session, number, low, command) & notin(log.detector.leader(here))
    )

    # --- out of the log: each command the first time

    repeated = scratch(slot=int)

    turn(
        slot, field(entry, 0, Address), field(entry, 1, int), field(entry, 2, int),
        field(entry, 3, Any),
    ) <= log.apply(slot, entry)
    repeated(slot) <= turn(slot, session, number, _, _) & seen(session, number)
    repeated(slot) <= turn(slot, session, number, _, _) & lows(session, low) & (number < low)
    deliver(slot, command) <= (
        turn(slot, _, _, _, command) & notin(repeated(slot)) & notin(skip(_))
    )
    Ordering.accepted(session, number) <~ (
        turn(_, session, number, _, _) & log.detector.leader(here)
    )
    seen(session, number) <+ turn(_, session, number, _, _)
    lows(session, low) <+ turn(_, session, _, low, _)
    seen(session, number) <- seen(session, number) & lows(session, low) & (number < low)

    # --- images: what is remembered is part of the state

    imaged(replica) <= log.imaged(replica)
    installed(slot, parts) <= log.installed(slot, parts)
    log.part(row) <= part(row)
    log.part((SEEN, session, number)) <= log.imaged(_) & seen(session, number)
    log.part((LOWS, session, low)) <= log.imaged(_) & lows(session, low)
    waiting(session, number, low, command) <- (
        installed(_, _) & waiting(session, number, low, command)
    )
    seen(session, number) <- installed(_, _) & seen(session, number)
    lows(session, low) <- installed(_, _) & lows(session, low)
    seen(field(row, 1, Address), field(row, 2, int)) <+ (
        installed(_, parts) & each(row, parts) & (field(row, 0, str) == SEEN)
    )
    lows(field(row, 1, Address), field(row, 2, int)) <+ (
        installed(_, parts) & each(row, parts) & (field(row, 0, str) == LOWS)
    )


class ReplicatedPeer(Replicated, Windowed):
    """A replica that submits too."""

    Windowed.target(replica) <= Replicated.log.detector.leader(replica)
