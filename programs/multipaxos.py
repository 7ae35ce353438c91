"""Multi-Paxos: a replicated log, and a key-value store whose replicas apply it one by one.

Sources: Lamport, "Paxos Made Simple" (2001), section 3; van Renesse, Altinbuken, "Paxos Made
Moderately Complex" (Computing Surveys 2015); client sessions after Ongaro, "Consensus: Bridging
Theory and Practice" (2014), section 6.3.

- One ballot covers all slots.  A leader asks once for promises of all slots that it has not
  applied, and proposes again, in every slot, the vote of the highest ballot; a slot below one that
  is voted for, in which nobody has voted, gets a no-op.  From then on a batch of commands costs one
  round trip.
- A slot holds a batch: all commands that have reached the leader when it opens the slot, which it
  does while it is less than `WINDOW` slots ahead of what it has applied.  So slots do not wait for
  each other (pipelining), and yet under load commands gather; and who applies is not overrun.
- A replica applies one command per tick, by a cursor in the batch.
- What only reads takes no slot: the leader answers it once a majority has said that it still leads.
- With every beat of the detector a replica says how far it has come.  Who is behind asks for what
  it lacks and gets entries of the log or, where these are gone, an image of the state.
- Votes and entries are deleted below the *floor*: what every replica that is not suspected has
  applied.  An acceptor promises nothing to a leader that would need what it has deleted; that
  leader has to catch up first.  So a wrong suspicion costs an image, and nothing else.

A batch costs 3(n - 1) messages among n replicas: `accept`, `voted` and `decide`, to or from each
that does not lead; a leader's own vote is no message.

Safe with any loss, repetition, order and delay, any crash and restart; live when a majority is up
and hears each other.  Lost disks are not survived.
"""

from bloomish import (
    Address, Any, Cluster, Key, Lex, MapUnion, Max, Program, SetUnion, _, argmax, channel, collect,
    count, each, either, field, function, here, index, input, max_, min_, notin, output, protocol,
    roster, scratch, size, table, use, variables,
)
from bloomish.programs.failure_detector import FailureDetector

acceptor, acceptors, ballot, base, batch, best, cast, command, commands, end = variables(
    "acceptor acceptors ballot base batch best cast command commands end"
)
first, floor_, higher, leader, mine, parts, reached, replica, row, slot = variables(
    "first floor_ higher leader mine parts reached replica row slot"
)
a, b, client, done, key, number, ok, op, passed_on, question, session, value, votes = variables(
    "a b client done key number ok op passed_on question session value votes"
)

NEVER = (0, "")
"""The ballot of a vote that was never cast."""
Batch = (int, Any)
"""How many commands, and the tuple of them."""
NO_OP = (0, ())
WINDOW = 2
"""Slots from the one that is applied on which may be open at once."""
AT_ONCE = 100
"""Entries that one request for what is lacking brings."""


@function
def above(ballot: tuple[int, Address], node: Address) -> tuple[int, Address]:
    """The least ballot of a node that is higher in round."""
    return (ballot[0] + 1, node)


@function
def gaps(
    votes: MapUnion(int, Lex(Max((int, Address)), Max(Batch))), first: int
) -> SetUnion(int):
    """Slots from the first on in which nobody has voted, below one in which somebody has."""
    voted = dict(votes)
    return frozenset(slot for slot in range(first, max(voted)) if slot not in voted)


@function
def after(votes: MapUnion(int, Lex(Max((int, Address)), Max(Batch))), first: int) -> int:
    """The first slot above all that were voted for."""
    known: dict[int, Any] = dict(votes)
    return max(first, max(known) + 1)


class MultiPaxos(Program):
    """What replicas say to each other."""

    replicas = roster("replica")

    prepare = channel(to=Address, ballot=(int, Address), leader=Address, first=int)
    promise = channel(
        to=Address, ballot=(int, Address), acceptor=Address,
        votes=MapUnion(int, Lex(Max((int, Address)), Max(Batch))),
    )
    accept = channel(to=Address, ballot=(int, Address), leader=Address, slot=int, batch=Batch)
    voted = channel(to=Address, ballot=(int, Address), slot=int, acceptor=Address)
    overtaken = channel(to=Address, ballot=(int, Address))
    decide = channel(to=Address, ballot=(int, Address), slot=int)

    progress = channel(to=Address, replica=Address, slot=int)
    fetch = channel(to=Address, replica=Address, first=int)
    entry = channel(to=Address, slot=int, batch=Batch)
    image = channel(to=Address, reached=(int, int, int), parts=Any)


class Log(MultiPaxos):
    """The log.  Who embeds or inherits it derives `propose` (heeded at the leader), reads `apply`
    (one command per tick, numbered from 1 and without gaps), and for images derives `part` from its
    state when `imaged` and takes `installed` as its state; in neither tick is a command applied.
    """

    protocol(by=("ballot order", "majorities meet", "one command per tick"))

    detector = use(FailureDetector)
    detector.told(replica) <= MultiPaxos.replicas(replica)
    detector.watched(replica) <= MultiPaxos.replicas(replica)

    propose = scratch(command=Any)
    apply = scratch(number=int, command=Any)

    promised = table(ballot=Max((int, Address)), durable=True)
    vote = table(slot=Key(int), vote=Lex(Max((int, Address)), Max(Batch)), durable=True)
    log = table(slot=Key(int), batch=Batch, durable=True)       # what is decided
    applied = table(number=Max(int), durable=True)              # the command to be applied next
    current = table(slot=Max(int), base=Max(int), durable=True) # its slot, and that one's first
    floor = table(slot=Max(int), durable=True)                  # below it all is deleted

    promised <= [(NEVER,)]
    vote <= [(0, (NEVER, NO_OP))]       # so that a promise has at least one row
    applied <= [(1,)]
    current <= [(1, 1)]
    floor <= [(1,)]

    # --- the acceptor: as in single-decree Paxos, with one promise for all slots

    promised(ballot) <= MultiPaxos.prepare(_, ballot, _, _)
    promised(ballot) <= MultiPaxos.accept(_, ballot, _, _, _)
    promised(ballot) <= MultiPaxos.overtaken(_, ballot)
    vote(slot, (ballot, batch)) <= (
        MultiPaxos.accept(_, ballot, _, slot, batch) & promised(ballot)
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
        votes=MapUnion(int, Lex(Max((int, Address)), Max(Batch))),
    )
    won = scratch(
        ballot=Key((int, Address)), votes=MapUnion(int, Lex(Max((int, Address)), Max(Batch)))
    )
    established = table(ballot=(int, Address))
    free = table(ballot=Key((int, Address)), slot=int)          # the next slot for a batch
    proposal = table(ballot=Key((int, Address)), slot=Key(int), batch=Batch)

    campaign(above(ballot, here)) <+ (
        detector.leader(here) & promised(ballot) & notin(campaign(ballot))
    )
    promised(ballot) <= campaign(ballot)
    leading(ballot) <= detector.leader(here) & campaign(ballot) & promised(ballot)

    MultiPaxos.prepare(replica, ballot, here, first) <~ (
        leading(ballot) & notin(established(ballot)) & current(first, _)
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
    free(ballot, after(votes, first)) <+ won(ballot, votes) & current(first, _)
    proposal(ballot, slot, best.value()) <+ (
        won(ballot, votes) & current(first, _) & each(slot, best, votes) & (slot >= first)
    )
    proposal(ballot, slot, NO_OP) <+ (
        won(ballot, votes) & current(first, _) & each(slot, gaps(votes, first))
    )

    # --- commands: what waits when a slot is open shares it

    ready = scratch(ballot=(int, Address))
    queue = table(command=Any)
    opened = scratch(ballot=Key((int, Address)), slot=int)
    gathered = scratch(count=int, commands=Any)
    # A leader's own vote, the tick after its proposal: that leaves without waiting for a disk, and
    # all vote at the same time.
    cast_next = scratch(ballot=(int, Address), slot=int, batch=Batch)
    own = scratch(ballot=(int, Address), slot=int, batch=Batch)

    ready(ballot) <= leading(ballot) & established(ballot)
    opened(ballot, slot) <= (
        ready(ballot) & free(ballot, slot) & current(first, _) & (slot < first + WINDOW)
    )
    queue(command) <= propose(command) & leading(_)
    gathered(count(), collect(command)) <= queue(command) & opened(_, _)
    proposal(ballot, slot, (end, commands)) <= opened(ballot, slot) & gathered(end, commands)
    free(ballot, slot + 1) <+- opened(ballot, slot) & gathered(_, _)
    queue(command) <- queue(command) & opened(_, _)
    queue(command) <- queue(command) & notin(leading(_))

    cast_next(ballot, slot, batch) <+ leading(ballot) & proposal(ballot, slot, batch)
    own(ballot, slot, batch) <= (
        cast_next(ballot, slot, batch) & promised(ballot) & floor(first) & (slot >= first)
    )
    vote(slot, (ballot, batch)) <= own(ballot, slot, batch)
    MultiPaxos.accept(replica, ballot, here, slot, batch) <~ (
        leading(ballot) & proposal(ballot, slot, batch) & MultiPaxos.replicas(replica)
        & (replica != here)
    )

    # --- decisions: a majority has voted in one ballot; the others know the batch from their vote

    tally = table(ballot=Key((int, Address)), slot=Key(int), acceptors=SetUnion(Address))
    learned = scratch(slot=int, batch=Batch)
    decided = scratch(ballot=(int, Address), slot=int, batch=Batch)

    tally(ballot, slot, {here}) <= own(ballot, slot, _)
    tally(ballot, slot, {acceptor}) <= (
        MultiPaxos.voted(_, ballot, slot, acceptor) & proposal(ballot, slot, _)
    )
    decided(ballot, slot, batch) <= (
        tally(ballot, slot, acceptors) & (size(acceptors) > size(MultiPaxos.replicas) / 2)
        & proposal(ballot, slot, batch) & notin(log(slot, _))
    )
    learned(slot, batch) <= decided(_, slot, batch)
    MultiPaxos.decide(replica, ballot, slot) <~ (
        decided(ballot, slot, _) & MultiPaxos.replicas(replica) & (replica != here)
    )
    learned(slot, cast.value()) <= (
        MultiPaxos.decide(_, ballot, slot) & vote(slot, cast) & (cast.version() >= ballot)
    )
    log(slot, batch) <+ (
        learned(slot, batch) & current(first, _) & (slot >= first) & notin(log(slot, _))
    )

    # --- what is over is deleted

    proposal(ballot, slot, batch) <- proposal(ballot, slot, batch) & log(slot, _)
    tally(ballot, slot, acceptors) <- tally(ballot, slot, acceptors) & log(slot, _)
    proposal(ballot, slot, batch) <- (
        proposal(ballot, slot, batch) & campaign(mine) & (ballot != mine)
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

    # --- one command per tick

    step = scratch(on=bool)
    imaged = scratch(replica=Address)
    installed = scratch(number=int, parts=Any)
    due = scratch(slot=int, base=int, end=int)
    line = scratch(base=int, rank=int, command=Any)

    due(slot, base, base + field(batch, 0, int)) <= current(slot, base) & log(slot, batch)
    line(base, index(command), command) <= (
        current(slot, base) & log(slot, batch) & each(command, field(batch, 1, Any))
    )
    apply(number, command) <= (
        step(_) & applied(number) & due(_, base, _) & line(base, number - base, command)
        & notin(imaged(_)) & notin(installed(_, _))
    )
    applied(number + 1) <+ apply(number, _)
    current(slot + 1, end) <+ apply(number, _) & due(slot, _, end) & (number + 1 == end)
    current(slot + 1, end) <+ due(slot, end, end)

    # A step is an event: what follows from it is gone after the tick and need not be maintained.
    step(True) <+ learned(_, _)
    step(True) <+ apply(_, _)
    step(True) <+ due(_, end, end)
    step(True) <+ imaged(_)
    step(True) <+ installed(_, _)
    step(True) <= detector.beat(_)

    # --- catching up

    heard = table(replica=Key(Address), slot=Max(int))
    silent = scratch(replica=Address)
    stable = scratch(slot=int)
    part = scratch(row=Any)
    whole = scratch(parts=Any)
    arrived = scratch(reached=(int, int, int), parts=Any)

    MultiPaxos.progress(replica, here, slot) <~ (
        detector.beat(_) & current(slot, _) & MultiPaxos.replicas(replica) & (replica != here)
    )
    heard(replica, slot) <= MultiPaxos.progress(_, replica, slot)
    heard(here, slot) <= current(slot, _)

    MultiPaxos.fetch(replica, here, first) <~ (
        MultiPaxos.progress(_, replica, slot) & current(first, _) & (slot > first)
        & notin(log(first, _))
    )
    MultiPaxos.entry(replica, slot, batch) <~ (
        MultiPaxos.fetch(_, replica, first) & floor(floor_) & (first >= floor_)
        & log(slot, batch) & (slot >= first) & (slot < first + AT_ONCE)
    )
    learned(slot, batch) <= MultiPaxos.entry(_, slot, batch)

    imaged(replica) <= MultiPaxos.fetch(_, replica, first) & floor(floor_) & (first < floor_)
    part(("",)) <= imaged(_)            # an empty state has an image too
    whole(collect(row)) <= part(row)
    MultiPaxos.image(replica, (number, slot, base), parts) <~ (
        imaged(replica) & applied(number) & current(slot, base) & whole(parts)
    )
    arrived(max_(reached), argmax(parts, by=reached)) <= MultiPaxos.image(_, reached, parts)
    installed(field(reached, 0, int), parts) <= (
        arrived(reached, parts) & applied(number) & (field(reached, 0, int) > number)
    )
    applied(number) <+ installed(number, _)
    current(field(reached, 1, int), field(reached, 2, int)) <+ (
        installed(_, _) & arrived(reached, _)
    )
    floor(field(reached, 1, int)) <+ installed(_, _) & arrived(reached, _)

    # --- truncation

    silent(replica) <= (
        MultiPaxos.replicas(replica) & notin(heard(replica, _)) & notin(detector.suspect(replica))
    )
    stable(min_(slot)) <= (
        heard(replica, slot) & notin(detector.suspect(replica)) & notin(silent(_))
    )
    floor(slot) <+ detector.beat(_) & stable(slot)
    log(slot, batch) <- (
        detector.beat(_) & floor(first) & log(slot, batch) & (slot < first)
    )
    vote(slot, cast) <- (
        detector.beat(_) & floor(first) & vote(slot, cast) & (slot < first) & (slot > 0)
    )


# ------------------------------------------------------------------ reads beside the log


class Reads(Log):
    """Linearizable reads that cost no slot, no vote and no disk.

    Source: Ongaro (2014), section 6.4, without its leases, since no clock is to be relied on.

    A leader notes its next free slot and asks the others whether they have promised nobody else.
    Whatever was decided before then is below that slot: any later leader would have had to be
    promised to by one of the majority that says so.  Once all below is applied, the state answers.
    What is asked while a round is under way shares the next: 2(n - 1) messages for all of them.

    Who inherits it derives `ask` (heeded at the leader) and answers from its state what is
    `granted`; a question is gone when its leader is, and has to be asked again.
    """

    confirm = channel(to=Address, ballot=(int, Address), number=int, leader=Address)
    confirmed = channel(to=Address, ballot=(int, Address), number=int, acceptor=Address)

    ask = scratch(question=Any)
    granted = scratch(question=Any)

    asked = table(question=Any)
    last = table(number=Max(int))                               # of the rounds there were
    begun = scratch(ballot=(int, Address), number=int, slot=int)
    round_ = table(ballot=Key((int, Address)), number=int, slot=int)
    of_round = table(question=Any)
    backing = table(ballot=Key((int, Address)), number=Key(int), acceptors=SetUnion(Address))
    backed = scratch(slot=int)
    cleared = table(question=Any, slot=int)                     # but for what is to be applied yet

    last <= [(0,)]
    asked(question) <= ask(question) & Log.leading(_)
    begun(ballot, number + 1, slot) <= (
        Log.ready(ballot) & Log.free(ballot, slot) & last(number) & asked(_)
        & notin(round_(_, _, _))
    )
    last(number) <+ begun(_, number, _)
    round_(ballot, number, slot) <+ begun(ballot, number, slot)
    of_round(question) <+ begun(_, _, _) & asked(question)
    asked(question) <- begun(_, _, _) & asked(question)

    confirm(replica, ballot, number, here) <~ (
        Log.leading(ballot) & round_(ballot, number, _) & MultiPaxos.replicas(replica)
        & (replica != here)
    )
    Log.promised(ballot) <= confirm(_, ballot, _, _)
    confirmed(leader, ballot, number, here) <~ (
        confirm(_, ballot, number, leader) & Log.promised(ballot)
    )
    MultiPaxos.overtaken(leader, higher) <~ (
        confirm(_, ballot, _, leader) & Log.promised(higher) & (higher > ballot)
    )

    backing(ballot, number, {here}) <= Log.leading(ballot) & round_(ballot, number, _)
    backing(ballot, number, {acceptor}) <= (
        confirmed(_, ballot, number, acceptor) & round_(ballot, number, _)
    )
    backed(slot) <= (
        Log.leading(ballot) & round_(ballot, number, slot) & backing(ballot, number, acceptors)
        & (size(acceptors) > size(MultiPaxos.replicas) / 2)
    )
    granted(question) <= (
        backed(slot) & Log.current(first, _) & (first >= slot) & of_round(question)
    )
    cleared(question, slot) <+ (
        backed(slot) & Log.current(first, _) & (first < slot) & of_round(question)
    )
    granted(question) <= cleared(question, slot) & Log.current(first, _) & (first >= slot)

    # --- what is over is deleted

    of_round(question) <- of_round(question) & backed(_)
    backing(ballot, number, acceptors) <- backing(ballot, number, acceptors) & backed(_)
    round_(ballot, number, slot) <- round_(ballot, number, slot) & backed(_)
    cleared(question, slot) <- cleared(question, slot) & granted(question)
    asked(question) <- asked(question) & notin(Log.leading(_))
    of_round(question) <- of_round(question) & round_(ballot, _, _) & notin(Log.leading(ballot))
    backing(ballot, number, acceptors) <- (
        backing(ballot, number, acceptors) & notin(Log.leading(ballot))
    )
    round_(ballot, number, slot) <- round_(ballot, number, slot) & notin(Log.leading(ballot))


# ------------------------------------------------------------------ a store on top


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


class Replica(Reads, Store):
    """Executes every command of a session once, however often it is sent and wherever it stands in
    the log; the numbers of a session ascend, and one of them is under way at a time.  What only
    reads is no command: the leader answers it, as often as it is sent."""

    protocol(by=("the log", "one command per tick", "numbers of sessions"))

    clients = roster("client")
    Log.detector.told(client) <= clients(client)

    store = table(key=Key(str), value=str, durable=True)
    sessions = table(
        client=Key(Address), session=Key(int), number=int, ok=bool, value=str, durable=True
    )
    known = scratch(client=Address, session=int, number=int)
    executed = scratch(command=Any)
    call = scratch(client=Address, session=int, number=int, op=str, key=str, a=str, b=str)
    old = scratch(key=Key(str), value=str)
    new = scratch(key=Key(str), value=str)
    result = scratch(client=Address, session=int, number=int, ok=bool, value=str)
    read = scratch(client=Address, session=int, number=int, key=str)

    # --- into the log, by whoever leads; an answer that was lost is given again

    known(client, session, number) <= (
        Store.request(_, client, session, number, _, _, _, _, _)
        & sessions(client, session, done, _, _) & (done >= number)
    )
    Log.propose((client, session, number, op, key, a, b)) <= (
        Store.request(_, client, session, number, op, key, a, b, _)
        & notin(known(client, session, number)) & (op != "get")
    )
    Store.request(leader, client, session, number, op, key, a, b, True) <~ (
        Store.request(_, client, session, number, op, key, a, b, False)
        & Log.detector.leader(leader) & (leader != here)
    )
    Store.reply(client, session, number, ok, value) <~ (
        Store.request(_, client, session, number, _, _, _, _, _)
        & sessions(client, session, number, ok, value)
    )

    # --- reads, by whoever leads

    Reads.ask((client, session, number, key)) <= (
        Store.request(_, client, session, number, "get", key, _, _, _)
    )
    read(
        field(question, 0, Address), field(question, 1, int), field(question, 2, int),
        field(question, 3, str),
    ) <= Reads.granted(question)
    Store.reply(client, session, number, True, value) <~ (
        read(client, session, number, key) & store(key, value)
    )
    Store.reply(client, session, number, True, "") <~ (
        read(client, session, number, key) & notin(store(key, _))
    )

    # --- out of the log

    executed(command) <= (
        Log.apply(_, command)
        & sessions(field(command, 0, Address), field(command, 1, int), done, _, _)
        & (done >= field(command, 2, int))
    )
    call(
        field(command, 0, Address), field(command, 1, int), field(command, 2, int),
        field(command, 3, str), field(command, 4, str), field(command, 5, str),
        field(command, 6, str),
    ) <= Log.apply(_, command) & notin(executed(command))
    old(key, value) <= call(_, _, _, _, key, _, _) & store(key, value)
    old(key, "") <= call(_, _, _, _, key, _, _) & notin(store(key, _))

    new(key, a) <= call(_, _, _, "put", key, a, _)
    new(key, value + a) <= call(_, _, _, "append", key, a, _) & old(key, value)
    new(key, b) <= call(_, _, _, "cas", key, a, b) & old(key, a)
    store(key, value) <+- new(key, value)

    result(client, session, number, True, value) <= (
        call(client, session, number, _, key, _, _) & new(key, value)
    )
    result(client, session, number, False, value) <= (
        call(client, session, number, _, key, _, _) & old(key, value) & notin(new(key, _))
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
    store(field(row, 1, str), field(row, 2, str)) <+ (
        Log.installed(_, parts) & each(row, parts) & (field(row, 0, str) == "store")
    )
    sessions(
        field(row, 1, Address), field(row, 2, int), field(row, 3, int), field(row, 4, bool),
        field(row, 5, str),
    ) <+ Log.installed(_, parts) & each(row, parts) & (field(row, 0, str) == "sessions")


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
