"""Multi-Paxos: a replicated log, and a key-value store whose replicas apply it slot by slot.

Sources: Lamport, "Paxos Made Simple" (2001), section 3; van Renesse, Altinbuken, "Paxos Made
Moderately Complex" (Computing Surveys 2015); client sessions after Ongaro, "Consensus: Bridging
Theory and Practice" (2014), section 6.3.

- One ballot covers all slots.  A leader asks once for promises of all slots that it has not
  applied, and proposes again, in every slot, the vote of the highest ballot; a slot below one that
  is voted for, in which nobody has voted, gets a no-op.  From then on a command costs one round
  trip.
- All commands that reach the leader in one tick get slots in a row and leave in one frame
  (batching), and slots do not wait for each other (pipelining).
- A replica applies one slot per tick.
- With every beat of the detector a replica says how far it has come.  Who is behind asks for what
  it lacks and gets entries of the log or, where these are gone, an image of the state.
- Votes and entries are deleted below the *floor*: what every replica that is not suspected has
  applied.  An acceptor promises nothing to a leader that would need what it has deleted; that
  leader has to catch up first.  So a wrong suspicion costs an image, and nothing else.

Safe with any loss, repetition, order and delay, any crash and restart; live when a majority is up
and hears each other.  Lost disks are not survived.
"""

from bloomish import (
    Address, Any, Cluster, Key, Lex, MapUnion, Max, Program, SetUnion, _, argmax, channel, collect,
    count, each, either, function, here, index, input, max_, min_, notin, output, protocol, roster,
    scratch, size, table, use, variables,
)
from bloomish.programs.failure_detector import FailureDetector

acceptor, acceptors, ballot, best, cast, command, first, floor_, higher, leader = variables(
    "acceptor acceptors ballot best cast command first floor_ higher leader"
)
mine, parts, rank, replica, row, slot, votes = variables(
    "mine parts rank replica row slot votes"
)
a, b, client, done, key, number, ok, op, passed_on, session, value = variables(
    "a b client done key number ok op passed_on session value"
)

NEVER = (0, "")
"""The ballot of a vote that was never cast."""
NO_OP = ()
AT_ONCE = 1000
"""Entries that one request for what is lacking brings."""


@function
def above(ballot: tuple[int, Address], node: Address) -> tuple[int, Address]:
    """The least ballot of a node that is higher in round."""
    return (ballot[0] + 1, node)


@function
def gaps(
    votes: MapUnion(int, Lex(Max((int, Address)), Max(Any))), first: int
) -> SetUnion(int):
    """Slots from the first on in which nobody has voted, below one in which somebody has."""
    voted = dict(votes)
    return frozenset(slot for slot in range(first, max(voted)) if slot not in voted)


@function
def after(votes: MapUnion(int, Lex(Max((int, Address)), Max(Any))), first: int) -> int:
    """The first slot above all that were voted for."""
    known: dict[int, Any] = dict(votes)
    return max(first, max(known) + 1)


class MultiPaxos(Program):
    """What replicas say to each other."""

    replicas = roster("replica")

    prepare = channel(to=Address, ballot=(int, Address), leader=Address, first=int)
    promise = channel(
        to=Address, ballot=(int, Address), acceptor=Address,
        votes=MapUnion(int, Lex(Max((int, Address)), Max(Any))),
    )
    accept = channel(to=Address, ballot=(int, Address), leader=Address, slot=int, command=Any)
    voted = channel(to=Address, ballot=(int, Address), slot=int, acceptor=Address)
    overtaken = channel(to=Address, ballot=(int, Address))
    decide = channel(to=Address, ballot=(int, Address), slot=int)

    progress = channel(to=Address, replica=Address, slot=int)
    fetch = channel(to=Address, replica=Address, first=int)
    entry = channel(to=Address, slot=int, command=Any)
    image = channel(to=Address, slot=int, parts=Any)


class Log(MultiPaxos):
    """The log.  Who embeds or inherits it derives `propose` (every row gets a slot), reads `apply`,
    and for images derives `part` from its state when `imaged` and takes `installed` as its state.
    """

    protocol(by=("ballot order", "majorities meet", "one slot per tick"))

    detector = use(FailureDetector)
    detector.told(replica) <= MultiPaxos.replicas(replica)
    detector.watched(replica) <= MultiPaxos.replicas(replica)

    propose = scratch(command=Any)
    apply = scratch(slot=int, command=Any)

    promised = table(ballot=Max((int, Address)), durable=True)
    vote = table(slot=Key(int), vote=Lex(Max((int, Address)), Max(Any)), durable=True)
    log = table(slot=Key(int), command=Any, durable=True)       # what is decided
    applied = table(slot=Max(int), durable=True)                # the slot to be applied next
    floor = table(slot=Max(int), durable=True)                  # below it all is deleted

    promised <= [(NEVER,)]
    vote <= [(0, (NEVER, NO_OP))]       # so that a promise has at least one row
    applied <= [(1,)]
    floor <= [(1,)]

    # --- the acceptor: as in single-decree Paxos, with one promise for all slots

    promised(ballot) <= MultiPaxos.prepare(_, ballot, _, _)
    promised(ballot) <= MultiPaxos.accept(_, ballot, _, _, _)
    promised(ballot) <= MultiPaxos.overtaken(_, ballot)
    vote(slot, (ballot, command)) <= (
        MultiPaxos.accept(_, ballot, _, slot, command) & promised(ballot)
        & floor(first) & (slot >= first)
    )
    MultiPaxos.promise(leader, ballot, here, {slot: cast}) <~ (
        MultiPaxos.prepare(_, ballot, leader, first) & promised(ballot)
        & floor(floor_) & (first >= floor_)
        & vote(slot, cast) & either(slot >= first, slot == 0)
    )
    MultiPaxos.voted(leader, ballot, slot, here) <~ (
        MultiPaxos.accept(_, ballot, leader, slot, _) & promised(ballot)
        & floor(first) & (slot >= first)
    )
    MultiPaxos.overtaken(leader, higher) <~ (
        MultiPaxos.prepare(_, ballot, leader, _) & promised(higher) & (higher > ballot)
    )
    MultiPaxos.overtaken(leader, higher) <~ (
        MultiPaxos.accept(_, ballot, leader, _, _) & promised(higher) & (higher > ballot)
    )

    # --- the leader: a ballot of its own, above all that it has heard of, for as long as it is the
    # highest; none of this outlives a crash, and the next ballot is higher than the last one used

    campaign = table(ballot=Max((int, Address)))
    leading = scratch(ballot=(int, Address))
    promises = table(
        ballot=Key((int, Address)), acceptors=SetUnion(Address),
        votes=MapUnion(int, Lex(Max((int, Address)), Max(Any))),
    )
    won = scratch(
        ballot=Key((int, Address)), votes=MapUnion(int, Lex(Max((int, Address)), Max(Any)))
    )
    established = table(ballot=(int, Address))
    free = table(ballot=Key((int, Address)), slot=int)          # the next slot for a command
    proposal = table(ballot=Key((int, Address)), slot=Key(int), command=Any)

    campaign(above(ballot, here)) <+ (
        detector.leader(here) & promised(ballot) & notin(campaign(ballot))
    )
    promised(ballot) <= campaign(ballot)
    leading(ballot) <= detector.leader(here) & campaign(ballot) & promised(ballot)

    MultiPaxos.prepare(replica, ballot, here, first) <~ (
        leading(ballot) & notin(established(ballot)) & applied(first)
        & MultiPaxos.replicas(replica)
    )
    promises(ballot, {acceptor}, votes) <= (
        MultiPaxos.promise(_, ballot, acceptor, votes) & campaign(ballot)
    )
    won(ballot, votes) <= (
        leading(ballot) & notin(established(ballot)) & promises(ballot, acceptors, votes)
        & (size(acceptors) > size(MultiPaxos.replicas) / 2)
    )
    established(ballot) <+ won(ballot, _)
    free(ballot, after(votes, first)) <+ won(ballot, votes) & applied(first)
    proposal(ballot, slot, best.value()) <+ (
        won(ballot, votes) & applied(first) & each(slot, best, votes) & (slot >= first)
    )
    proposal(ballot, slot, NO_OP) <+ (
        won(ballot, votes) & applied(first) & each(slot, gaps(votes, first))
    )

    # --- commands: slots in a row for all that a tick brings

    ready = scratch(ballot=(int, Address))
    ranked = scratch(rank=int, command=Any)
    counted = scratch(count=int)

    ready(ballot) <= leading(ballot) & established(ballot)
    ranked(index(command), command) <= propose(command)
    counted(count()) <= propose(_)
    proposal(ballot, slot + rank, command) <= (
        ready(ballot) & free(ballot, slot) & ranked(rank, command)
    )
    free(ballot, slot + rank) <+- ready(ballot) & free(ballot, slot) & counted(rank)

    MultiPaxos.accept(replica, ballot, here, slot, command) <~ (
        leading(ballot) & proposal(ballot, slot, command) & MultiPaxos.replicas(replica)
    )

    # --- decisions: a majority has voted in one ballot; the others know the command from their vote

    tally = table(ballot=Key((int, Address)), slot=Key(int), acceptors=SetUnion(Address))
    decided = scratch(ballot=(int, Address), slot=int, command=Any)

    tally(ballot, slot, {acceptor}) <= (
        MultiPaxos.voted(_, ballot, slot, acceptor) & proposal(ballot, slot, _)
    )
    decided(ballot, slot, command) <= (
        tally(ballot, slot, acceptors) & (size(acceptors) > size(MultiPaxos.replicas) / 2)
        & proposal(ballot, slot, command) & notin(log(slot, _))
    )
    log(slot, command) <+ decided(_, slot, command)
    MultiPaxos.decide(replica, ballot, slot) <~ (
        decided(ballot, slot, _) & MultiPaxos.replicas(replica) & (replica != here)
    )
    log(slot, cast.value()) <+ (
        MultiPaxos.decide(_, ballot, slot) & vote(slot, cast) & (cast.version() >= ballot)
        & applied(first) & (slot >= first) & notin(log(slot, _))
    )

    # --- what is over is deleted

    proposal(ballot, slot, command) <- proposal(ballot, slot, command) & log(slot, _)
    tally(ballot, slot, acceptors) <- tally(ballot, slot, acceptors) & log(slot, _)
    proposal(ballot, slot, command) <- (
        proposal(ballot, slot, command) & campaign(mine) & (ballot != mine)
    )
    tally(ballot, slot, acceptors) <- (
        tally(ballot, slot, acceptors) & campaign(mine) & (ballot != mine)
    )
    promises(ballot, acceptors, votes) <- (
        promises(ballot, acceptors, votes) & established(ballot)
    )
    promises(ballot, acceptors, votes) <- (
        promises(ballot, acceptors, votes) & campaign(mine) & (ballot != mine)
    )
    established(ballot) <- established(ballot) & campaign(mine) & (ballot != mine)
    free(ballot, slot) <- free(ballot, slot) & campaign(mine) & (ballot != mine)

    # --- one slot per tick

    installed = scratch(slot=int, parts=Any)
    apply(slot, command) <= applied(slot) & log(slot, command) & notin(installed(_, _))
    applied(slot + 1) <+ apply(slot, _)

    # --- catching up

    heard = table(replica=Key(Address), slot=Max(int))
    silent = scratch(replica=Address)
    stable = scratch(slot=int)
    imaged = scratch(replica=Address)
    part = scratch(row=Any)
    whole = scratch(parts=Any)
    arrived = scratch(slot=int, parts=Any)

    MultiPaxos.progress(replica, here, slot) <~ (
        detector.beat(_) & applied(slot) & MultiPaxos.replicas(replica) & (replica != here)
    )
    heard(replica, slot) <= MultiPaxos.progress(_, replica, slot)
    heard(here, slot) <= applied(slot)

    MultiPaxos.fetch(replica, here, first) <~ (
        MultiPaxos.progress(_, replica, slot) & applied(first) & (slot > first)
        & notin(log(first, _))
    )
    MultiPaxos.entry(replica, slot, command) <~ (
        MultiPaxos.fetch(_, replica, first) & floor(floor_) & (first >= floor_)
        & log(slot, command) & (slot >= first) & (slot < first + AT_ONCE)
    )
    log(slot, command) <+ (
        MultiPaxos.entry(_, slot, command) & applied(first) & (slot >= first)
        & notin(log(slot, _))
    )

    imaged(replica) <= MultiPaxos.fetch(_, replica, first) & floor(floor_) & (first < floor_)
    part(("",)) <= imaged(_)            # an empty state has an image too
    whole(collect(row)) <= part(row)
    MultiPaxos.image(replica, slot, parts) <~ imaged(replica) & applied(slot) & whole(parts)
    arrived(max_(slot), argmax(parts, by=slot)) <= MultiPaxos.image(_, slot, parts)
    installed(slot, parts) <= arrived(slot, parts) & applied(first) & (slot > first)
    applied(slot) <+ installed(slot, _)
    floor(slot) <+ installed(slot, _)

    # --- truncation

    silent(replica) <= (
        MultiPaxos.replicas(replica) & notin(heard(replica, _)) & notin(detector.suspect(replica))
    )
    stable(min_(slot)) <= (
        heard(replica, slot) & notin(detector.suspect(replica)) & notin(silent(_))
    )
    floor(slot) <+ detector.beat(_) & stable(slot)
    log(slot, command) <- (
        detector.beat(_) & floor(first) & log(slot, command) & (slot < first)
    )
    vote(slot, cast) <- (
        detector.beat(_) & floor(first) & vote(slot, cast) & (slot < first) & (slot > 0)
    )


# ------------------------------------------------------------------ a store on top


@function
def text_of(command: Any, place: int) -> str:
    """A column of a command, or of a row of an image."""
    return str(command[place])


@function
def number_of(command: Any, place: int) -> int:
    """The same for numbers."""
    return int(command[place])


@function
def truth_of(command: Any, place: int) -> bool:
    """The same for truth values."""
    return bool(command[place])


class Store(Program):
    """What clients and replicas say to each other.

    The operations on a key, whose value is "" at first: `get`; `put` a; `append` a; `cas` from a to
    b, which is a lock as well: `cas` from "" to one's name takes it, and back to "" releases it.
    """

    request = channel(
        to=Address, client=Address, session=int, number=int, op=str, key=str, a=str, b=str,
        passed_on=bool,
    )
    reply = channel(to=Address, session=int, number=int, ok=bool, value=str)


class Replica(Log, Store):
    """Executes every command of a session once, however often it is sent and wherever it stands in
    the log; the numbers of a session ascend, and one of them is under way at a time."""

    protocol(by=("the log", "one slot per tick", "numbers of sessions"))

    clients = roster("client")
    Log.detector.told(client) <= clients(client)

    store = table(key=Key(str), value=str, durable=True)
    sessions = table(
        client=Key(Address), session=Key(int), number=int, ok=bool, value=str, durable=True
    )
    known = scratch(client=Address, session=int, number=int)
    executed = scratch(client=Address, session=int, number=int)
    next_call = scratch(client=Address, session=int, number=int, op=str, key=str, a=str, b=str)
    call = scratch(client=Address, session=int, number=int, op=str, key=str, a=str, b=str)
    old = scratch(key=Key(str), value=str)
    new = scratch(key=Key(str), value=str)
    result = scratch(client=Address, session=int, number=int, ok=bool, value=str)

    # --- into the log, by whoever leads; an answer that was lost is given again

    known(client, session, number) <= (
        Store.request(_, client, session, number, _, _, _, _, _)
        & sessions(client, session, done, _, _) & (done >= number)
    )
    Log.propose((client, session, number, op, key, a, b)) <= (
        Store.request(_, client, session, number, op, key, a, b, _)
        & notin(known(client, session, number))
    )
    Store.request(leader, client, session, number, op, key, a, b, True) <~ (
        Store.request(_, client, session, number, op, key, a, b, False)
        & Log.detector.leader(leader) & (leader != here)
    )
    Store.reply(client, session, number, ok, value) <~ (
        Store.request(_, client, session, number, _, _, _, _, _)
        & sessions(client, session, number, ok, value)
    )

    # --- out of the log

    next_call(
        text_of(command, 0), number_of(command, 1), number_of(command, 2), text_of(command, 3),
        text_of(command, 4), text_of(command, 5), text_of(command, 6),
    ) <= Log.apply(_, command) & (command != NO_OP)
    executed(client, session, number) <= (
        next_call(client, session, number, _, _, _, _)
        & sessions(client, session, done, _, _) & (done >= number)
    )
    call(client, session, number, op, key, a, b) <= (
        next_call(client, session, number, op, key, a, b)
        & notin(executed(client, session, number))
    )
    old(key, value) <= call(_, _, _, _, key, _, _) & store(key, value)
    old(key, "") <= call(_, _, _, _, key, _, _) & notin(store(key, _))

    new(key, a) <= call(_, _, _, "put", key, a, _)
    new(key, value + a) <= call(_, _, _, "append", key, a, _) & old(key, value)
    new(key, b) <= call(_, _, _, "cas", key, a, b) & old(key, a)
    store(key, value) <+- new(key, value)

    result(client, session, number, True, value) <= (
        call(client, session, number, _, key, _, _) & new(key, value)
    )
    result(client, session, number, op == "get", value) <= (
        call(client, session, number, op, key, _, _) & old(key, value) & notin(new(key, _))
    )
    sessions(client, session, number, ok, value) <+- result(client, session, number, ok, value)
    Store.reply(client, session, number, ok, value) <~ (
        result(client, session, number, ok, value) & Log.detector.leader(here)
    )

    # --- images

    Log.part(("store", key, value)) <= Log.imaged(_) & store(key, value)
    Log.part(("sessions", client, session, number, ok, value)) <= (
        Log.imaged(_) & sessions(client, session, number, ok, value)
    )
    store(key, value) <- Log.installed(_, _) & store(key, value)
    sessions(client, session, number, ok, value) <- (
        Log.installed(_, _) & sessions(client, session, number, ok, value)
    )
    store(text_of(row, 1), text_of(row, 2)) <+ (
        Log.installed(_, parts) & each(row, parts) & (text_of(row, 0) == "store")
    )
    sessions(
        text_of(row, 1), number_of(row, 2), number_of(row, 3), truth_of(row, 4), text_of(row, 5)
    ) <+ Log.installed(_, parts) & each(row, parts) & (text_of(row, 0) == "sessions")


class Client(Store):
    """Sends, of every session, the least call that is not answered, until it is."""

    protocol(by=("the replicas' log", "one answer per number"))

    replicas = roster("replica")
    detector = use(FailureDetector)
    detector.watched(replica) <= replicas(replica)

    invoke = input(session=int, number=int, op=str, key=str, a=str, b=str)
    answer = output(session=int, number=int, ok=bool, value=str)
    waiting = table(session=Key(int), number=Key(int), op=str, key=str, a=str, b=str)
    turn = scratch(session=Key(int), number=int)

    waiting(session, number, op, key, a, b) <= invoke(session, number, op, key, a, b)
    turn(session, min_(number)) <= waiting(session, number, _, _, _, _)
    Store.request(replica, here, session, number, op, key, a, b, False) <~ (
        turn(session, number) & waiting(session, number, op, key, a, b)
        & detector.leader(replica)
    )
    answer(session, number, ok, value) <= (
        Store.reply(_, session, number, ok, value) & waiting(session, number, _, _, _, _)
    )
    waiting(session, number, op, key, a, b) <- (
        Store.reply(_, session, number, _, _) & waiting(session, number, op, key, a, b)
    )


cluster = Cluster(replica=Replica * 3, client=Client)
