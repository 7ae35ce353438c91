"""Programs in which the order of arrival decides: races, locks, clocks."""

from bloomish import Address, Key, Max, Program, _, argmax, channel, const, input, invariant, notin
from bloomish import periodic, protocol, roster, scratch, sum_, table, tick_number, use
from bloomish import variables

amount, k, n, owner, peer, slot, t, tx, v, who, x, y = variables(
    "amount k n owner peer slot t tx v who x y"
)


class M9(Program):
    """A deletion races with the insert that it is for."""

    add = channel(to=Address, id=int)
    remove = channel(to=Address, id=int)
    store = table(id=int)

    store(x) <= add(_, x)
    store(x) <- store(x) & remove(_, x)


class M10(Program):
    """The join of two channels, only the result persisted."""

    left = channel(to=Address, key=int, a=str)
    right = channel(to=Address, key=int, b=str)
    both = table(key=int, a=str, b=str)

    both(k, x, y) <= left(_, k, x) & right(_, k, y)


class M13(Program):
    """A register overwritten by whatever arrives."""

    put = channel(to=Address, key=str, value=str)
    register = table(key=Key(str), value=str)

    register(k, v) <+- put(_, k, v)


class M17(Program):
    """A lock that belongs to who comes first."""

    ask = channel(to=Address, name=str, owner=Address)
    held = scratch(name=str)
    lock = table(name=str, owner=Address)

    held(k) <= lock(k, _)
    lock(k, owner) <+ ask(_, k, owner) & notin(held(k))


class M20(Program):
    """A node's own clock copied into what it makes of a message."""

    peers = roster("node")
    msg = channel(to=Address, text=str)
    stamped = channel(to=Address, text=str, time=int)
    seen = table(text=str, time=int)

    stamped(peer, x, tick_number()) <~ msg(_, x) & peers(peer)
    seen(x, t) <= stamped(_, x, t)


class M22(Program):
    """Each replica approves a withdrawal after looking at its own copy of the balance."""

    peers = roster("replica")
    opening = const(amount=int)
    request = const(tx=int, amount=int)
    approved = table(tx=int, amount=int)
    told = channel(to=Address, tx=int, amount=int)
    ledger = table(tx=int, amount=int)
    spent = scratch(amount=int)
    overdraft = invariant(amount=int)

    opening <= [(100,)]
    request <= [(1, 70)]
    approved(tx, amount) <= request(tx, amount) & opening(x) & (amount <= x)
    told(peer, tx, amount) <~ approved(tx, amount) & peers(peer)
    ledger(tx, amount) <= told(_, tx, amount)
    spent(sum_(amount)) <= ledger(_, amount)
    overdraft(x - y) <= opening(x) & spent(y) & (y > x)


class M24(Program):
    """Once per key, and the source has several values for a key."""

    source = const(key=int, value=str)
    peers = roster("node")
    put = channel(to=Address, key=int, value=str)
    has = scratch(key=int)
    register = table(key=int, value=str)

    source <= [(1, "a"), (1, "b")]
    put(peer, k, v) <~ source(k, v) & peers(peer)
    has(k) <= register(k, _)
    register(k, v) <+ put(_, k, v) & notin(has(k))


class M28(Program):
    """The values that a running maximum passes through are sent as rows."""

    peers = roster("node")
    reading = input(value=int)
    high = table(value=Max(int))
    news = channel(to=Address, value=int)
    history = table(value=int)

    high(x) <= reading(x)
    news(peer, n) <~ high(n) & peers(peer)
    history(n) <= news(_, n)


class M30(Program):
    """Two-phase commit that aborts when a timer fires before the votes are in."""

    timer = periodic(1.0)
    agents = roster("agent")
    begin = channel(to=Address, tx=int)
    yes = channel(to=Address, tx=int, agent=Address)
    open = table(tx=int)
    vote = table(tx=int, agent=Address)
    abort = table(tx=int)

    open(tx) <= begin(_, tx)
    vote(tx, who) <= yes(_, tx, who)
    abort(tx) <= timer(_) & open(tx) & agents(who) & notin(vote(tx, who))


class M35(Program):
    """A counter that every delivery increments, duplicates included."""

    bump = channel(to=Address, id=int)
    total = table(key=Key(str), n=int)

    total <= [("hits", 0)]
    total(k, n + 1) <+- total(k, n) & bump(_, x)


class M38(Program):
    """A lock with a key, filled by requests."""

    ask = channel(to=Address, name=str, owner=Address)
    lock = table(name=Key(str), owner=Address)

    lock(k, owner) <= ask(_, k, owner)


class M40(Program):
    """A replicated register overwritten by the best of the batch."""

    put = channel(to=Address, key=str, stamp=int, value=str)
    register = table(key=Key(str), value=str)

    register(k, argmax(v, by=n)) <+- put(_, k, n, v)


class Log(Program):
    """A log that some protocol decides, slot by slot; what matters here is its guard."""

    decided = channel(to=Key(Address), slot=Key(int), key=str, value=str)
    entries = table(slot=int, key=str, value=str)

    protocol(by="total order", ordered=entries)
    entries(slot, k, v) <= decided(_, slot, k, v)


class M40batch(Program):
    """The same from a decided log, whatever slots are ready in one tick."""

    log = use(Log)
    register = table(key=Key(str), value=str)

    register(k, argmax(v, by=slot)) <+- log.entries(slot, k, v)


class M40slots(Program):
    """The same from a decided log, one slot per tick."""

    log = use(Log)
    cursor = table(one=Key(int), slot=int)
    apply = scratch(slot=int, key=str, value=str)
    register = table(key=Key(str), value=str)

    cursor <= [(0, 1)]
    apply(slot, k, v) <= cursor(_, slot) & log.entries(slot, k, v)
    cursor(n, slot + 1) <+- cursor(n, slot) & log.entries(slot, _, _)
    register(k, v) <+- apply(_, k, v)


class M41timeout(Program):
    """Abort when a timer fires and not all have voted."""

    timer = periodic(1.0)
    agents = roster("agent")
    yes = channel(to=Address, tx=int, agent=Address)
    votes = table(tx=int, agent=Address)
    abort = channel(to=Address, tx=int)

    votes(tx, who) <= yes(_, tx, who)
    abort(who, tx) <~ timer(_) & votes(tx, _) & agents(who) & notin(votes(tx, who))
