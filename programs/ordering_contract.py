"""What `ordering` promises, and nothing of how it keeps it: an order of messages, for exploration.

The least replica numbers what comes to it, once for each number of a submitter, and tells the
others; every replica delivers one slot per tick.  Messages may be delayed, mixed up and repeated,
but none is lost and no node fails: these are what the protocols of `ordering` take care of, and
what they are attacked with by themselves.  So all that a program can see of a decided log is here,
in few enough states to go through.
"""

from bloomish import (
    Address, Any, Key, Max, Program, _, channel, count, here, index, input, min_, notin,
    protocol, roster, scratch, table, variables,
)

command, count_, first, number, rank, replica, session, slot, standing = variables(
    "command count_ first number rank replica session slot standing"
)


class Agreement(Program):
    """What submitters and replicas say to each other."""

    replicas = roster("replica")
    head = scratch(node=Address)
    submission = channel(to=Address, session=Address, number=int, command=Any)
    entry = channel(to=Address, slot=int, command=Any)

    head(min_(replica)) <= replicas(replica)


class AgreedOutbox(Agreement):
    """For whoever submits."""

    protocol(by="one number for each command")

    submit = scratch(command=Any)
    keep = scratch(command=Any)

    next = table(number=Max(int))
    kept = table(command=Any)
    arriving = scratch(standing=bool, command=Any)
    ranked = scratch(rank=int, command=Any)
    counted = scratch(count=int)

    next <= [(0,)]
    arriving(False, command) <= submit(command)
    arriving(True, command) <= keep(command) & notin(kept(command))
    kept(command) <+ keep(command)
    kept(command) <- kept(command) & notin(keep(command))
    ranked(index((standing, command)), command) <= arriving(standing, command)
    counted(count()) <= arriving(_, _)
    next(number + count_) <+ next(number) & counted(count_)
    Agreement.submission(replica, here, number + rank, command) <~ (
        ranked(rank, command) & next(number) & Agreement.head(replica)
    )


class Agreed(Agreement):
    """For replicas: every command once, in one order, one in a tick."""

    deliver = scratch(slot=int, command=Any)
    skip = input(rule=str)
    protocol(by=("one node numbers all", "one slot per tick"), ordered=deliver)

    free = table(slot=Max(int), durable=True)
    known = table(session=Address, number=int, durable=True)
    fresh = scratch(session=Address, number=int, command=Any)
    placed = scratch(rank=int, command=Any)
    many = scratch(count=int)
    numbered = scratch(slot=int, command=Any)
    log = table(slot=Key(int), command=Any, durable=True)
    applied = table(slot=Max(int), durable=True)
    turn = scratch(slot=int, command=Any)

    free <= [(1,)]
    applied <= [(1,)]

    fresh(session, number, command) <= (
        Agreement.submission(_, session, number, command) & notin(known(session, number))
    )
    known(session, number) <+ fresh(session, number, _)
    placed(index((session, number, command)), command) <= fresh(session, number, command)
    many(count()) <= fresh(_, _, _)
    numbered(slot + rank, command) <= placed(rank, command) & free(slot)
    free(slot + count_) <+ free(slot) & many(count_)
    Agreement.entry(replica, slot, command) <~ (
        numbered(slot, command) & Agreement.replicas(replica) & (replica != here)
    )

    log(slot, command) <= numbered(slot, command)
    log(slot, command) <+ Agreement.entry(_, slot, command)
    turn(slot, command) <= applied(slot) & log(slot, command)
    deliver(slot, command) <= turn(slot, command) & notin(skip(_))
    # What is delivered is an event: of two equal commands in a row, each has its effect.
    deliver(slot, command) <= (
        turn(slot, command) & Agreement.entry(_, slot, command) & notin(skip(_))
    )
    applied(slot + 1) <+ turn(slot, _)


class AgreedPeer(Agreed, AgreedOutbox):
    """A replica that submits too."""
