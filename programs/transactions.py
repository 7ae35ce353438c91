"""Transactions: parts for several nodes, of which all take effect or none does.

Sources: Gray, "Notes on Data Base Operating Systems" (1978), for two-phase commit and its locks;
Mohan, Lindsay, Obermarck, "Transaction Management in the R* Distributed Database Management System"
(TODS 1986), for presumed abort; Helland, "Life beyond Distributed Transactions" (CIDR 2007), for
who submits and must hear an answer once.

A transaction is a tuple of parts, a part a tuple (node, entry, row, key): the row is for the rules
of that node that read `entry`.  Its participants are the nodes that its parts name.

- A **submitter** numbers what it submits and repeats it until it has heard the outcome.
- The **coordinator**, the least address of a fixed roster, gives each a ticket.  Parts with one
  node and one key are held apart: a transaction waits for all with an earlier ticket that share
  such a pair, so there is no deadlock and nobody is overtaken.  It asks, decides and tells.  It
  logs what is open, with its ticket, answers to submitters, and commits until all know of them.
  So a no that a participant has told stays no when the coordinator has fallen and asks again.  A
  ticket of which it knows nothing is presumed aborted.
- A **participant** looks whether each part `can` have its effect here, logs its yes before it says
  so, and from then on has no say.  On a commit it hands its parts on, all in one tick, once; on an
  abort, nothing.  Parts that it could not have taken are handed on as `declined`, for those who
  answer them.

Whoever embeds it derives `submit` or `keep`, `can` and `veto`, `suspected`; and reads `ask`,
`deliver`, `declined` and `outcome`.  State that `can` depends on is to be changed by what is
delivered, and by nothing else, and to be durable.

There is no clock: whoever is silent is waited for.  A participant in doubt can do nothing but wait
for the coordinator: it says so in `blocked`, if whoever embeds it says who is `suspected`.
"""

from bloomish import (
    Address, Any, Key, Max, Program, _, channel, collect, count, each, field, here, index, min_,
    notin, output, protocol, roster, scratch, table, variables,
)

(
    coordinator_, first, key, least, life_, low, more, node, number, part, parts, rank, submitter,
    tag, ticket, yes_,
) = variables(
    "coordinator_ first key least life_ low more node number part parts rank submitter "
    "tag ticket yes_"
)

Ticket = (int, int)
"""The coordinator's life, and a number within it."""


class Transactions(Program):
    """What submitters, the coordinator and participants say to each other."""

    keepers = roster("keeper")
    coordinator = scratch(node=Address)
    coordinator(min_(node)) <= keepers(node)

    begin = channel(to=Address, submitter=Address, number=int, low=int, parts=Any)
    result = channel(to=Address, number=int, commit=bool)
    prepare = channel(to=Address, coordinator=Address, ticket=Ticket, low=Ticket, parts=Any)
    vote = channel(to=Address, participant=Address, ticket=Ticket, yes=bool)
    decision = channel(to=Address, coordinator=Address, ticket=Ticket, commit=bool)
    ack = channel(to=Address, participant=Address, ticket=Ticket)


class Submitter(Transactions):
    """Numbers transactions and repeats them until it is told what came of them.

    `low` is the least number that was open when a transaction was numbered: with it the coordinator
    forgets the answers below.  A tag tells transactions of equal parts apart.
    """

    protocol(by=("numbers of submitters", "one answer per number"))

    submit = scratch(tag=Any, parts=Any)    # a transaction for every tick that derives it
    keep = scratch(tag=Any, parts=Any)      # one for as long as its tag stays derived
    outcome = output(tag=Any, commit=bool)

    kept = table(tag=Any, durable=True)
    wish = scratch(tag=Any, parts=Any)
    ranked = scratch(rank=int, tag=Any, parts=Any)
    wishes = scratch(count=int)
    next_number = table(number=Max(int), durable=True)
    waiting = table(number=Key(int), low=int, tag=Any, parts=Any, durable=True)
    least_waiting = scratch(number=int)
    settled_below = scratch(number=int)
    answer = scratch(number=int, tag=Any, parts=Any, low=int, commit=bool)

    next_number <= [(1,)]

    wish(tag, parts) <= submit(tag, parts)
    wish(tag, parts) <= keep(tag, parts) & notin(kept(tag))
    kept(tag) <+ keep(tag, _) & notin(kept(tag))
    kept(tag) <- kept(tag) & notin(keep(tag, _))

    ranked(index((tag, parts)), tag, parts) <= wish(tag, parts)
    wishes(count()) <= wish(_, _)
    least_waiting(min_(number)) <= waiting(number, _, _, _)
    settled_below(number) <= least_waiting(number)
    settled_below(number) <= next_number(number) & notin(least_waiting(_))
    waiting(first + rank, low, tag, parts) <+ (
        ranked(rank, tag, parts) & next_number(first) & settled_below(low)
    )
    next_number(first + more) <+ next_number(first) & wishes(more)

    Transactions.begin(node, here, number, low, parts) <~ (
        waiting(number, low, _, parts) & Transactions.coordinator(node)
    )
    answer(number, tag, parts, low, yes_) <= (
        Transactions.result(_, number, yes_) & waiting(number, low, tag, parts)
    )
    waiting(number, low, tag, parts) <- answer(number, tag, parts, low, _)
    outcome(tag, yes_) <= answer(_, tag, _, _, yes_)


class Coordinator(Transactions):
    """Gives tickets, asks for votes, decides, tells; idle at all keepers but the least."""

    protocol(by=("one coordinator", "unanimous votes", "a commit that is logged before it is told"))

    members = scratch(node=Address)         # who may take part; the keepers, and whom one adds
    members(node) <= Transactions.keepers(node)

    # A life begins: its tickets come after all tickets of the lives before.
    waking = table(first_tick=bool)
    life = table(number=Max(int), durable=True)
    waking <= [(True,)]
    life <= [(0,)]
    waking(yes_) <- waking(yes_)
    life(life_ + 1) <+ life(life_) & waking(_)

    # --- what comes: answered already, under way, too old, or new

    over = table(submitter=Key(Address), below=Max(int), durable=True)
    answered = table(submitter=Key(Address), number=Key(int), commit=bool, durable=True)
    queue = table(
        ticket=Key(Ticket), low=Ticket, submitter=Address, number=int, parts=Any, durable=True
    )
    under_way = scratch(submitter=Address, number=int)
    too_old = scratch(submitter=Address, number=int)
    fresh = scratch(submitter=Address, number=int, parts=Any)
    ranked = scratch(rank=int, submitter=Address, number=int, parts=Any)
    newcomers = scratch(count=int)
    next_ticket = table(number=Max(int))
    open = scratch(ticket=Ticket)
    least_open = scratch(ticket=Ticket)
    closed_below = scratch(ticket=Ticket)

    next_ticket <= [(1,)]

    over(submitter, low) <= Transactions.begin(_, submitter, _, low, _)
    too_old(submitter, number) <= (
        Transactions.begin(_, submitter, number, _, _) & over(submitter, low) & (number < low)
    )
    under_way(submitter, number) <= queue(_, _, submitter, number, _)
    fresh(submitter, number, parts) <= (
        Transactions.begin(_, submitter, number, _, parts) & notin(waking(_))
        & notin(too_old(submitter, number)) & notin(under_way(submitter, number))
        & notin(answered(submitter, number, _))
    )
    Transactions.result(submitter, number, yes_) <~ (
        Transactions.begin(_, submitter, number, _, _) & answered(submitter, number, yes_)
    )
    answered(submitter, number, yes_) <- (
        answered(submitter, number, yes_) & over(submitter, low) & (number < low)
    )

    ranked(index((submitter, number, parts)), submitter, number, parts) <= (
        fresh(submitter, number, parts)
    )
    newcomers(count()) <= fresh(_, _, _)
    closed_below(ticket) <= least_open(ticket)
    closed_below((life_, first)) <= life(life_) & next_ticket(first) & notin(least_open(_))
    queue((life_, first + rank), low, submitter, number, parts) <+ (
        ranked(rank, submitter, number, parts) & life(life_) & next_ticket(first)
        & closed_below(low)
    )
    next_ticket(first + more) <+ next_ticket(first) & newcomers(more)

    # --- whose turn it is: who is the first to want all that it wants

    telling = table(ticket=Key(Ticket), parts=Any, durable=True)    # committed; not all know
    wants = scratch(ticket=Ticket, node=Address, key=Any)
    in_front = scratch(node=Address, key=Any, ticket=Ticket)
    behind = scratch(ticket=Ticket)
    running = scratch(ticket=Ticket)
    involved = scratch(ticket=Ticket, node=Address)
    share = scratch(ticket=Ticket, node=Address, parts=Any)

    open(ticket) <= queue(ticket, _, _, _, _)
    open(ticket) <= telling(ticket, _)
    least_open(min_(ticket)) <= open(ticket)
    wants(ticket, field(part, 0, Address), field(part, 3, Any)) <= (
        queue(ticket, _, _, _, parts) & each(part, parts)
    )
    wants(ticket, field(part, 0, Address), field(part, 3, Any)) <= (
        telling(ticket, parts) & each(part, parts)
    )
    in_front(node, key, min_(ticket)) <= wants(ticket, node, key)
    behind(ticket) <= (
        wants(ticket, node, key) & in_front(node, key, least) & (least < ticket)
    )
    running(ticket) <= queue(ticket, _, _, _, _) & notin(behind(ticket))
    involved(ticket, node) <= wants(ticket, node, _)
    share(ticket, field(part, 0, Address), collect(part)) <= (
        queue(ticket, _, _, _, parts) & each(part, parts)
    )
    Transactions.prepare(node, here, ticket, low, parts) <~ (
        running(ticket) & queue(ticket, low, _, _, _) & share(ticket, node, parts)
    )

    # --- what comes first: all have said yes, or one says no

    yes = table(ticket=Ticket, participant=Address)
    awaited = scratch(ticket=Ticket, participant=Address)
    unanimous = scratch(ticket=Ticket)
    rejected = scratch(ticket=Ticket)

    yes(ticket, node) <= (
        Transactions.vote(_, node, ticket, True) & queue(ticket, _, _, _, _)
    )
    yes(ticket, node) <- yes(ticket, node) & notin(queue(ticket, _, _, _, _))
    awaited(ticket, node) <= (
        running(ticket) & involved(ticket, node) & notin(yes(ticket, node))
    )
    rejected(ticket) <= running(ticket) & Transactions.vote(_, _, ticket, False)
    rejected(ticket) <= running(ticket) & involved(ticket, node) & notin(members(node))
    unanimous(ticket) <= running(ticket) & notin(awaited(ticket, _)) & notin(rejected(ticket))

    telling(ticket, parts) <+ unanimous(ticket) & queue(ticket, _, _, _, parts)
    answered(submitter, number, True) <+ unanimous(ticket) & queue(ticket, _, submitter, number, _)
    answered(submitter, number, False) <+ rejected(ticket) & queue(ticket, _, submitter, number, _)
    Transactions.result(submitter, number, True) <~ (
        unanimous(ticket) & queue(ticket, _, submitter, number, _)
    )
    Transactions.result(submitter, number, False) <~ (
        rejected(ticket) & queue(ticket, _, submitter, number, _)
    )
    queue(ticket, low, submitter, number, parts) <- (
        unanimous(ticket) & queue(ticket, low, submitter, number, parts)
    )
    queue(ticket, low, submitter, number, parts) <- (
        rejected(ticket) & queue(ticket, low, submitter, number, parts)
    )

    # --- a commit is told until all have acknowledged it; an abort once, and to whoever asks

    acked = table(ticket=Ticket, participant=Address)
    owed = scratch(ticket=Ticket, participant=Address)

    owed(ticket, node) <= (
        telling(ticket, _) & involved(ticket, node) & notin(acked(ticket, node))
    )
    Transactions.decision(node, here, ticket, True) <~ owed(ticket, node)
    acked(ticket, node) <= Transactions.ack(_, node, ticket) & telling(ticket, _)
    telling(ticket, parts) <- telling(ticket, parts) & notin(owed(ticket, _))
    acked(ticket, node) <- acked(ticket, node) & notin(telling(ticket, _))
    Transactions.decision(node, here, ticket, False) <~ rejected(ticket) & involved(ticket, node)
    Transactions.decision(node, here, ticket, False) <~ (
        Transactions.vote(_, node, ticket, True) & notin(queue(ticket, _, _, _, _))
        & notin(telling(ticket, _))
    )


class Participant(Transactions):
    """Votes, waits for the decision, hands the parts on.

    A message about a ticket below `closed` comes late: all who took part know how it ended.
    """

    ask = scratch(ticket=Ticket, part=Any)          # can this part have its effect?
    can = scratch(ticket=Ticket, part=Any)          # it can
    veto = scratch(ticket=Ticket)                   # together the parts cannot
    deliver = scratch(ticket=Ticket, part=Any)      # it is committed
    declined = scratch(ticket=Ticket, part=Any)     # it could not have had an effect
    suspected = scratch(node=Address)
    blocked = output(ticket=Ticket, coordinator=Address)

    protocol(
        by=(
            "one transaction at a time for each key",
            "one slot per tick",
            "a vote that is logged before it is sent",
            "the coordinator's decision",
        ),
        ordered=(ask, deliver, declined),
    )

    closed = table(below=Max(Ticket), durable=True)
    prepared = table(ticket=Key(Ticket), coordinator=Address, parts=Any, durable=True)
    settled = table(ticket=Key(Ticket), commit=bool, durable=True)
    asked = scratch(ticket=Ticket, coordinator=Address, parts=Any)
    unable = scratch(ticket=Ticket)
    in_doubt = scratch(ticket=Ticket, coordinator=Address, parts=Any)

    closed <= [((0, 0),)]

    closed(low) <= Transactions.prepare(_, _, _, low, _)
    asked(ticket, coordinator_, parts) <= (
        Transactions.prepare(_, coordinator_, ticket, _, parts)
        & closed(low) & (ticket >= low)
        & notin(prepared(ticket, _, _)) & notin(settled(ticket, _))
    )
    ask(ticket, part) <= asked(ticket, _, parts) & each(part, parts)
    unable(ticket) <= ask(ticket, part) & notin(can(ticket, part))
    unable(ticket) <= asked(ticket, _, _) & veto(ticket)
    declined(ticket, part) <= ask(ticket, part) & notin(can(ticket, part))
    prepared(ticket, coordinator_, parts) <+ (
        asked(ticket, coordinator_, parts) & notin(unable(ticket))
    )
    settled(ticket, False) <+ unable(ticket)

    # Who says no has decided; who says yes asks until it is told.
    Transactions.vote(coordinator_, here, ticket, False) <~ (
        asked(ticket, coordinator_, _) & unable(ticket)
    )
    Transactions.vote(coordinator_, here, ticket, False) <~ (
        Transactions.prepare(_, coordinator_, ticket, _, _) & settled(ticket, False)
    )
    in_doubt(ticket, coordinator_, parts) <= (
        prepared(ticket, coordinator_, parts) & notin(settled(ticket, _))
    )
    Transactions.vote(coordinator_, here, ticket, True) <~ in_doubt(ticket, coordinator_, _)
    blocked(ticket, coordinator_) <= in_doubt(ticket, coordinator_, _) & suspected(coordinator_)

    settled(ticket, yes_) <+ (
        Transactions.decision(_, _, ticket, yes_) & in_doubt(ticket, _, _)
    )
    deliver(ticket, part) <= (
        Transactions.decision(_, _, ticket, True) & in_doubt(ticket, _, parts) & each(part, parts)
    )
    Transactions.ack(coordinator_, here, ticket) <~ (
        Transactions.decision(_, coordinator_, ticket, True)
    )

    prepared(ticket, coordinator_, parts) <- (
        prepared(ticket, coordinator_, parts) & closed(low) & (ticket < low)
    )
    settled(ticket, yes_) <- settled(ticket, yes_) & closed(low) & (ticket < low)


class Keeper(Coordinator, Participant):
    """A node of the roster that the coordinator is the least of, and that takes part as well."""
