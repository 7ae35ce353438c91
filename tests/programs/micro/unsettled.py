"""Programs whose views change, and programs that act on them."""

from bloomish import Address, Key, Program, _, argmax, channel, const, count, input, max_, notin
from bloomish import output, roster, scratch, table, variables

k, n, peer, q, stamp, to, v, who, x, y = variables("k n peer q stamp to v who x y")


class M3(Program):
    """A marriage: who is left at the altar is remembered."""

    couple = const(ceremony=int, who=str, other=str)
    i_do = channel(to=Address, ceremony=int, who=str)
    said = table(ceremony=int, who=str)
    jilted = table(ceremony=int, who=str)

    couple <= [(1, "bride", "groom"), (1, "groom", "bride")]
    said(k, who) <= i_do(_, k, who)
    jilted(k, who) <= said(k, who) & couple(k, who, y) & notin(said(k, y))


class M4(Program):
    """The same, and not remembered."""

    couple = const(ceremony=int, who=str, other=str)
    i_do = channel(to=Address, ceremony=int, who=str)
    said = table(ceremony=int, who=str)
    jilted = scratch(ceremony=int, who=str)

    couple <= [(1, "bride", "groom"), (1, "groom", "bride")]
    said(k, who) <= i_do(_, k, who)
    jilted(k, who) <= said(k, who) & couple(k, who, y) & notin(said(k, y))


class M5(Program):
    """A count is sent through a channel and stored as it comes."""

    peers = roster("node")
    item = channel(to=Address, id=int)
    seen = table(id=int)
    total = scratch(n=int)
    report = channel(to=Address, n=int)
    reports = table(n=int)

    seen(x) <= item(_, x)
    total(count(x)) <= seen(x)
    report(peer, n) <~ total(n) & peers(peer)
    reports(n) <= report(_, n)


class M7(Program):
    """Remembered: there was exactly one."""

    item = channel(to=Address, id=int)
    seen = table(id=int)
    total = scratch(n=int)
    single = table(text=str)

    seen(x) <= item(_, x)
    total(count(x)) <= seen(x)
    single("one") <= total(n) & (n == 1)


class M8(Program):
    """A two-phase set, seen live."""

    add = channel(to=Address, id=int)
    remove = channel(to=Address, id=int)
    added = table(id=int)
    removed = table(id=int)
    live = scratch(id=int)

    added(x) <= add(_, x)
    removed(x) <= remove(_, x)
    live(x) <= added(x) & notin(removed(x))


class M14(Program):
    """The last writer by timestamp, as a view."""

    put = channel(to=Address, key=str, stamp=int, value=str)
    log = table(key=str, stamp=int, value=str)
    latest = scratch(key=Key(str), stamp=int, value=str)

    log(k, stamp, v) <= put(_, k, stamp, v)
    latest(k, max_(stamp), argmax(v, by=stamp)) <= log(k, stamp, v)


class M16(Program):
    """Absence is asked for by a message and the answer kept."""

    item = channel(to=Address, id=int)
    ask = channel(to=Address, question=int, id=int)
    items = table(id=int)
    absent = table(question=int, id=int)

    items(x) <= item(_, x)
    absent(q, x) <= ask(_, q, x) & notin(items(x))


class M21(Program):
    """A count at a point in time, kept: replicas disagree for good."""

    item = channel(to=Address, id=int)
    ask = channel(to=Address, question=int)
    items = table(id=int)
    total = scratch(n=int)
    cached = table(question=int, n=int)

    items(x) <= item(_, x)
    total(count(x)) <= items(x)
    cached(q, n) <= ask(_, q) & total(n)


class M25(Program):
    """Garbage: what cannot be reached through links that arrive, remembered."""

    root = const(id=int)
    thing = const(id=int)
    peers = roster("node")
    edge = channel(to=Address, a=int, b=int)
    link = table(a=int, b=int)
    mark = channel(to=Address, id=int)
    reached = table(id=int)
    garbage = table(id=int)

    root <= [(0,)]
    thing <= [(0,), (1,), (2,)]
    link(x, y) <= edge(_, x, y)
    reached(x) <= root(x)
    mark(peer, y) <~ reached(x) & link(x, y) & peers(peer)
    reached(x) <= mark(_, x)
    garbage(x) <= thing(x) & notin(reached(x))


class M26(Program):
    """A view by negation is sent away."""

    peers = roster("node")
    add = channel(to=Address, id=int)
    remove = channel(to=Address, id=int)
    added = table(id=int)
    removed = table(id=int)
    live = scratch(id=int)
    report = channel(to=Address, id=int)
    reports = table(id=int)

    added(x) <= add(_, x)
    removed(x) <= remove(_, x)
    live(x) <= added(x) & notin(removed(x))
    report(peer, x) <~ live(x) & peers(peer)
    reports(x) <= report(_, x)


class M31b(Program):
    """A quorum of a membership that grows while one counts."""

    join = channel(to=Address, member=Address)
    vote = channel(to=Address, ballot=int, voter=Address)
    members = table(member=Address)
    votes = table(ballot=int, voter=Address)
    electorate = scratch(n=int)
    tally = scratch(ballot=Key(int), n=int)
    elected = table(ballot=int)

    members(x) <= join(_, x)
    votes(k, x) <= vote(_, k, x)
    electorate(count(x)) <= members(x)
    tally(k, count(x)) <= votes(k, x)
    elected(k) <= tally(k, n) & electorate(y) & (n > y / 2)


class M36(Program):
    """A request is answered from a table that grows."""

    item = input(key=str, value=int)
    ask = channel(to=Address, question=int, key=str)
    items = table(key=str, value=int)
    answer = output(question=int, value=int)

    items(k, v) <= item(k, v)
    answer(q, v) <= ask(_, q, k) & items(k, v)


class M37(Program):
    """The same answer, stored."""

    item = input(key=str, value=int)
    ask = channel(to=Address, question=int, key=str)
    items = table(key=str, value=int)
    answers = table(question=int, value=int)

    items(k, v) <= item(k, v)
    answers(q, v) <= ask(_, q, k) & items(k, v)
