"""Programs that only grow: the analyzer must ask for nothing."""

from bloomish import Address, Key, Max, Program, SetUnion, _, channel, const, count, here, input
from bloomish import notin, output, periodic, roster, scratch, size, table, variables

k, n, peer, t, to, v, voter, voters, who, x, y, z = variables(
    "k n peer t to v voter voters who x y z"
)


class M1(Program):
    """Broadcast into a persisted log."""

    peers = roster("node")
    say = input(text=str)
    msg = channel(to=Address, text=str)
    log = table(text=str)

    msg(peer, x) <~ say(x) & peers(peer)
    log(x) <= msg(_, x)


class M2(Program):
    """Transitive closure over edges that arrive."""

    edge = channel(to=Address, a=int, b=int)
    link = table(a=int, b=int)
    path = table(a=int, b=int)

    link(x, y) <= edge(_, x, y)
    path(x, y) <= link(x, y)
    path(x, z) <= link(x, y) & path(y, z)


class M6(Program):
    """A message is sent once more than one item has been seen."""

    peers = roster("node")
    item = channel(to=Address, id=int)
    seen = table(id=int)
    total = scratch(n=Max(int))
    alarm = channel(to=Address, text=str)
    alarms = table(text=str)

    seen(x) <= item(_, x)
    total(count(x)) <= seen(x)
    alarm(peer, "many") <~ total(n) & (n > 1) & peers(peer)
    alarms(x) <= alarm(_, x)


class M11(Program):
    """The join of two channels, both persisted."""

    left = channel(to=Address, key=int, a=str)
    right = channel(to=Address, key=int, b=str)
    lefts = table(key=int, a=str)
    rights = table(key=int, b=str)
    both = table(key=int, a=str, b=str)

    lefts(k, x) <= left(_, k, x)
    rights(k, y) <= right(_, k, y)
    both(k, x, y) <= lefts(k, x) & rights(k, y)


class M12(Program):
    """notin over what the program itself gives."""

    banned = const(who=str)
    msg = channel(to=Address, who=str)
    fine = table(who=str)

    banned <= [("mallory",)]
    fine(who) <= msg(_, who) & notin(banned(who))


class M18(Program):
    """notin over a node's own state, and then a message."""

    boss = roster("boss")
    work = table(job=int)
    easy = const(job=int)
    finished = table(job=int)
    hard = table(job=int)
    notice = channel(to=Address, job=int)
    noticed = table(job=int)

    work <= [(1,), (2,)]
    easy <= [(1,)]
    finished(x) <+ work(x) & easy(x)
    hard(x) <+ work(x) & notin(finished(x)) & notin(easy(x))
    notice(to, x) <~ hard(x) & boss(to)
    noticed(x) <= notice(_, x)


class M19(Program):
    """Retry until acknowledged."""

    peers = roster("node")
    say = input(text=str)
    wanted = table(text=str)
    msg = channel(to=Address, sender=Address, text=str)
    ack = channel(to=Address, by=Address, text=str)
    acked = table(by=Address, text=str)
    log = table(text=str)

    wanted(x) <= say(x)
    msg(peer, here, x) <~ wanted(x) & peers(peer) & notin(acked(peer, x))
    ack(who, here, x) <~ msg(_, who, x)
    acked(who, x) <= ack(_, who, x)
    log(x) <= msg(_, _, x)


class M23(Program):
    """Once per key, and the source has one value per key."""

    source = const(key=Key(int), value=str)
    peers = roster("node")
    put = channel(to=Address, key=int, value=str)
    has = scratch(key=int)
    register = table(key=int, value=str)

    source <= [(1, "a"), (2, "b")]
    put(to, k, v) <~ source(k, v) & peers(to)
    has(k) <= register(k, _)
    register(k, v) <+ put(_, k, v) & notin(has(k))


class M27(Program):
    """A running maximum is sent and merged into a maximum."""

    peers = roster("node")
    reading = input(value=int)
    high = table(value=Max(int))
    news = channel(to=Key(Address), value=Max(int))
    overall = table(value=Max(int))

    high(x) <= reading(x)
    news(peer, n) <~ high(n) & peers(peer)
    overall(n) <= news(_, n)


class M29(Program):
    """Commit once no agent of a constant group is missing a vote that stays."""

    agents = roster("agent")
    yes = channel(to=Address, tx=int, agent=Address)
    begin = channel(to=Address, tx=int)
    open = table(tx=int)
    vote = table(tx=int, agent=Address)
    missing = scratch(tx=int)
    commit = scratch(tx=int)

    open(t) <= begin(_, t)
    vote(t, who) <= yes(_, t, who)
    missing(t) <= open(t) & agents(who) & notin(vote(t, who))
    commit(t) <= open(t) & notin(missing(t))


class M31(Program):
    """A quorum of a fixed electorate."""

    electorate = roster("voter")
    vote = channel(to=Address, ballot=int, voter=Address)
    tally = table(ballot=Key(int), voters=SetUnion(Address))
    elected = table(ballot=int)

    tally(k, {voter}) <= vote(_, k, voter)
    elected(k) <= tally(k, voters) & (size(voters) > size(electorate) / 2)


class M32(Program):
    """A count whose rows differ only in columns that it projects away."""

    item = channel(to=Address, id=int, attempt=int)
    seen = table(id=int, attempt=int)
    total = scratch(n=Max(int))
    enough = table(text=str)

    seen(x, y) <= item(_, x, y)
    total(count(x)) <= seen(x, _)
    enough("yes") <= total(n) & (n >= 2)


class M39(Program):
    """Gossip on a timer of a persisted set that only grows."""

    peers = roster("node")
    beat = periodic(1.0)
    say = input(text=str)
    log = table(text=str)
    gossip = channel(to=Address, text=str)
    heard = output(text=str)

    log(x) <= say(x)
    gossip(peer, x) <~ beat(_) & log(x) & peers(peer)
    log(x) <= gossip(_, x)
    heard(x) <= log(x)


class M41(Program):
    """Commit on unanimous votes of a fixed roster, at the coordinator."""

    agents = roster("agent")
    yes = channel(to=Address, tx=int, agent=Address)
    votes = table(tx=Key(int), agents=SetUnion(Address))
    commit = output(tx=int)

    votes(t, {who}) <= yes(_, t, who)
    commit(t) <= votes(t, voters) & (size(voters) >= size(agents))
