"""Programs that use the whole language; the round trips run over them."""

from __future__ import annotations

from bloomish import (
    Address,
    Any,
    Bool,
    Cluster,
    Key,
    LWWRegister,
    MapUnion,
    Max,
    Min,
    Pair,
    Program,
    SetUnion,
    _,
    argmax,
    argmin,
    assume,
    at,
    avg,
    channel,
    choose,
    collect,
    const,
    count,
    div,
    each,
    either,
    eventually,
    field,
    function,
    here,
    index,
    input,
    invariant,
    max_,
    min_,
    not_,
    notin,
    now,
    output,
    periodic,
    protocol,
    random,
    roster,
    scratch,
    size,
    sum_,
    table,
    tick_number,
    use,
    variables,
)  # fmt: skip

ballot, voter, voters, member = variables("ballot voter voters member")
client, request, key, value, server = variables("client request key value server")
a, b, c, k, n, t, v, w, x, y, z = variables("a, b, c", "k n t v w x y z")
d = variables("d")


@function
def shout(text: str) -> str:
    """Upper case."""
    return text.upper()


@function(monotone=True)
def twice(number: int) -> int:
    """Double."""
    return 2 * number


class Vote(Program):
    """Announce a ballot once a majority of the electorate has voted for it."""

    electorate = roster("voter")  # who runs as a voter: fixed at start, never changes
    vote = channel(to=Address, ballot=int, voter=Address)
    tally = table(ballot=Key(int), voters=SetUnion(Address))  # one lattice value per ballot
    elected = output(ballot=int)

    tally(ballot, {voter}) <= vote(_, ballot, voter)
    elected(ballot) <= tally(ballot, voters) & (size(voters) > size(electorate) / 2)


class Kvs(Program):
    """What clients and servers say to each other."""

    put = channel(server=Address, client=Address, request=int, key=str, value=str)
    ack = channel(client=Address, request=int)


class Server(Kvs):
    store = table(key=Key(str), value=str, durable=True)

    store(key, argmax(value, by=request)) < +-Kvs.put(_, _, request, key, value)
    Kvs.ack(client, request) < ~Kvs.put(_, client, request, _, _)


class Client(Kvs):
    want = input(request=int, key=str, value=str)
    servers = roster("server")
    done = output(request=int)

    Kvs.put(server, here, request, key, value) < ~want(request, key, value) & servers(server)
    done(request) <= Kvs.ack(_, request)


kvs = Cluster(server=Server, client=Client * 2)


class Closure(Program):
    link = table(src=str, dst=str)
    path = scratch(src=str, dst=str)
    far = output(src=str, n=int)
    lonely = output(node=str)

    link <= [("a", "b"), ("b", "c")]
    path <= link
    path(x, z) <= link(x, y) & path(y, z)
    far(x, count(y)) <= path(x, y)
    lonely(x) <= link(_, x) & notin(link(x, _))
    link(x, y) < -link(x, y) & link(y, x) & (x < y)


class Expressions(Program):
    """Every expression, literal and aggregate.

    Second paragraph, with "quotes" and a \\ backslash.
    """

    num = table(key=Key(str), a=int, b=int)
    real = scratch(key=str, f=float)
    text = scratch(key=str, t=str)
    pair = scratch(p=(str, int), q=(int,))
    any_ = scratch(x=Any)
    cell = table(key=Key(str), top=Max(int), low=Min(int), flag=Bool, best=LWWRegister(str))
    sets = table(key=Key(str), seen=SetUnion((str, int)), counts=MapUnion(str, Max(int)))
    both = table(key=Key(str), both=Pair(Max(int), SetUnion(str)))
    total = scratch(sum=Max(int))
    bytes_ = const(raw=bytes, ok=bool)
    clock = periodic(0.5)
    tock = periodic(2)
    wide = scratch(key_of_the_row=str, a_rather_long_column=str, another_long_column=str, last=int)

    bytes_ <= [(b"\x00\xff", True), (b"'\"", False)]
    num <= [("a", -1, 1), ("it's", 2, 3), ('say "x"', 3, 4)]
    sets <= [("a", {("x", 1)}, {"k": 1})]
    real(k, -(a - (b - 1)) * 2 / 3) <= num(k, a, b)
    real(k, (a + b) % 3 + a // b) <= num(k, a, b) & (b != 0)
    real(k, avg(a)) <= num(k, a, _)
    real(k, now() + random()) <= num(k, _, _)
    real("inf", float("inf")) <= num(_, -1, a) & (a == div(7, 2))
    num(k, a, b) < +-num(k, b, a) & either(a < b, a == 0, (a > 1) & (b > 1)) & not_(a == b)
    num(k, twice(a), tick_number()) < +-num(k, a, _) & ((a < 3) | (a > 5))
    text(k, shout(k) + "!" + here) <= num(key=k)
    text(k, min_(t)) <= wide(k, t, _, _) & (t > "a") & clock(_)
    text(k, max_(t)) < +text(k, t) & tock(n) & (n % 2 == 0)
    pair((k, a), (b,)) <= num(k, a, b) & (k == "a")
    pair(x, (a + 1,)) <= pair(x, (1,)) & num(_, a, _) & (x > ("a", 2))
    any_(collect(a)) <= num(_, a, _)
    any_((1, 2.5, "x", b"y", True)) <= num("a", _, _)
    any_(z) <= any_(x) & each(z, x)
    any_((field(field(x, 1, (Address, int)), 0, Address), k)) <= (
        any_(x)
        & (field(x, 0, str) == "to")
        & field(x, 2, bool)
        & each(k, field(x, 3, SetUnion(str)))
    )
    cell(k, a, a, True, field(x, 1, LWWRegister(str))) <= any_(x) & num(k, a, field(x, 0, int))
    cell(k, a, b, a > b, ((now(), here), k)) <= num(k, a, b)
    cell("max", x, y, True, ((1.0, "a"), "v")) <= cell(k, x, y, True, _)
    sets(k, {(k, a), (k, b)}, {k: a}) <= num(k, a, b)
    sets(k, v | w, {}) <= sets(k, v, _) & sets("a", w, _)
    any_(x) <= sets(k, v, w) & v.contains((k, 1)) & each(x, v) & (w.at(k) > 1)
    any_(x) <= sets(_, _, w) & each(x, n, w) & (n > 2)
    both(k, (a, {k})) <= num(k, a, _)
    total(count()) <= num(_, _, _)
    num(k, a, index(b)) < +-num(k, a, b)
    num(choose(k), 0, sum_(a)) < +-num(k, a, _)
    num(argmin(k, by=b), 0, size(w)) < +-num(k, _, b) & sets(_, v, w)
    wide(k, x, y, a) < +(
        num(k, a, _) & text(k, x) & text(k, y) & (x != y) & notin(text(x, y)) & notin(num(y, _, _))
    )


class Log(Kvs):
    slot = table(number=Key(int), value=str)
    decided = output(number=int, value=str)
    closed = table(number=int)
    finished = input(number=int)
    protocol(by=("ballot order", "total order"), ordered=slot)
    protocol(by="a count", sealed={decided: closed})
    assume("ends", finished, key="number")
    assume("fd", slot, key="number", value="value")
    decided <= slot
    slot(n, v) <= Kvs.put(_, _, n, _, v)


class Nested(Program):
    log = use(Log)
    tick = periodic(1)
    at(3, log.slot) <= [(9, "nine")]
    log.ack(here, n) < ~log.decided(n, _) & tick(_)


class Node(Nested, Vote):
    first = use(Closure)
    second = use(Nested)
    peers = roster("voter")
    wrong = invariant(number=int)
    live = eventually(number=int)
    assume("sealed", Vote.vote, key="ballot")
    protocol(by="unanimous vote")

    first.link <= [("x", "y")]
    first.link(x, y) <= first.path(x, y)
    second.log.slot(n, v) <= Nested.log.decided(n, v)
    wrong(n) <= Nested.log.slot(n, v) & second.log.slot(n, w) & (v != w)
    live(n) <= second.log.decided(n, _)
    Vote.vote(x, 1, here) < ~peers(x) & at(2, first.link(_, _))


PROGRAMS = [Vote, Kvs, Server, Client, Closure, Expressions, Log, Nested, Node]
