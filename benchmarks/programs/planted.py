"""Small programs with a bug planted in them, each beside its mended twin."""

from bloomish import (
    Address,
    Cluster,
    Key,
    Max,
    Program,
    _,
    channel,
    choose,
    count,
    eventually,
    here,
    input,
    invariant,
    max_,
    notin,
    now,
    roster,
    scratch,
    sum_,
    table,
    variables,
)

item, n, node, replica, request, server, so_far, time, version, who = variables(
    "item n node replica request server so_far time version who"
)

# --- a message that comes twice counts twice


class Adding(Program):
    add = channel(to=Address, client=Address, request=int)


class Adder(Adding):
    servers = roster("server")
    want = input(request=int)
    wanted = table(request=int)

    wanted(request) <= want(request)
    Adding.add(server, here, request) <~ wanted(request) & servers(server)


class CountsArrivals(Adding):
    total = table(one=Key(int), n=int)
    batch = scratch(n=int)
    too_many = invariant(n=int)

    total <= [(0, 0)]
    batch(count()) <= Adding.add(_, _, _)
    total(0, n + so_far) <+- batch(n) & total(0, so_far)
    too_many(n) <= total(_, n) & (n > 3)


class CountsRequests(Adding):
    added = table(client=Address, request=int)
    total = scratch(n=int)
    too_many = invariant(n=int)

    added(who, request) <= Adding.add(_, who, request)
    total(count()) <= added(_, _)
    too_many(n) <= total(n) & (n > 3)


counts_arrivals = Cluster(server=CountsArrivals, client=Adder)
counts_requests = Cluster(server=CountsRequests, client=Adder)

# --- a counter on several replicas that is one integer


class Counting(Program):
    told = channel(to=Address, node=Address, n=int)


class OneInteger(Counting):
    """The greater of two counts forgets what only the other has counted."""

    replicas = roster("replica")
    hit = input(request=int)
    batch = scratch(n=int)
    counted = table(one=Key(int), n=Max(int))
    complete = eventually(n=int)

    counted <= [(0, 0)]
    batch(count()) <= hit(_)
    counted(0, n + so_far) <+ batch(n) & counted(0, so_far)
    Counting.told(replica, here, n) <~ counted(0, n) & replicas(replica)
    counted(0, n) <= Counting.told(_, _, n)
    complete(n) <= counted(0, n) & (n == 6)


class IntegerPerNode(Counting):
    replicas = roster("replica")
    hit = input(request=int)
    batch = scratch(n=int)
    counted = table(node=Key(Address), n=Max(int))
    total = scratch(n=int)
    complete = eventually(n=int)

    counted(here, 0) <= replicas(here)
    batch(count()) <= hit(_)
    counted(here, n + so_far) <+ batch(n) & counted(here, so_far)
    Counting.told(replica, node, n) <~ counted(node, n) & replicas(replica)
    counted(node, n) <= Counting.told(_, node, n)
    total(sum_(n)) <= counted(node, n)
    complete(n) <= total(n) & (n == 6)


one_integer = Cluster(replica=OneInteger * 3)
integer_per_node = Cluster(replica=IntegerPerNode * 3)

# --- replicas that tell each other of a write once, and never compare notes


class Gossip(Program):
    told = channel(to=Address, item=int)


class TellsOnce(Gossip):
    replicas = roster("replica")
    write = input(item=int)
    items = table(item=int)
    kept = scratch(n=int)
    complete = eventually(n=int)

    items(item) <= write(item)
    Gossip.told(replica, item) <~ write(item) & replicas(replica)
    items(item) <= Gossip.told(_, item)
    kept(count()) <= items(_)
    complete(n) <= kept(n) & (n == 3)


class TellsOn(Gossip):
    replicas = roster("replica")
    write = input(item=int)
    items = table(item=int)
    kept = scratch(n=int)
    complete = eventually(n=int)

    items(item) <= write(item)
    Gossip.told(replica, item) <~ items(item) & replicas(replica)
    items(item) <= Gossip.told(_, item)
    kept(count()) <= items(_)
    complete(n) <= kept(n) & (n == 3)


tells_once = Cluster(replica=TellsOnce * 3)
tells_on = Cluster(replica=TellsOn * 3)

# --- a lock for whoever comes first: two may come first


class Lock(Program):
    ask = channel(server=Address, who=Address)


class Asker(Lock):
    servers = roster("server")
    want = input(number=int)

    Lock.ask(server, here) <~ want(_) & servers(server)


class FirstCome(Lock):
    owner = table(who=Address)
    owners = scratch(n=int)
    two_owners = invariant(n=int)

    owner(who) <+ Lock.ask(_, who) & notin(owner(_))
    owners(count()) <= owner(_)
    two_owners(n) <= owners(n) & (n > 1)


class OneOfThem(Lock):
    owner = table(who=Address)
    owners = scratch(n=int)
    two_owners = invariant(n=int)

    owner(choose(who)) <+ Lock.ask(_, who) & notin(owner(_))
    owners(count()) <= owner(_)
    two_owners(n) <= owners(n) & (n > 1)


first_come = Cluster(server=FirstCome, client=Asker * 3)
one_of_them = Cluster(server=OneOfThem, client=Asker * 3)

# --- the write that comes last wins, not the one that was made last


class Writing(Program):
    put = channel(to=Address, version=int)


class Writer(Writing):
    servers = roster("server")
    write = input(version=int)

    Writing.put(server, version) <~ write(version) & servers(server)


class LastToCome(Writing):
    store = table(one=Key(int), version=int)
    latest = eventually(version=int)

    store(0, max_(version)) <+- Writing.put(_, version)
    latest(version) <= store(0, version) & (version == 3)


class LastMade(Writing):
    store = table(one=Key(int), version=Max(int))
    latest = eventually(version=int)

    store(0, version) <= Writing.put(_, version)
    latest(version) <= store(0, version) & (version == 3)


last_to_come = Cluster(server=LastToCome, client=Writer)
last_made = Cluster(server=LastMade, client=Writer)

# --- a delete that overtakes its insert deletes nothing


class Keeping(Program):
    put = channel(to=Address, item=int)
    drop = channel(to=Address, item=int)


class Keeper(Keeping):
    servers = roster("server")
    add = input(item=int)
    remove = input(item=int)

    Keeping.put(server, item) <~ add(item) & servers(server)
    Keeping.drop(server, item) <~ remove(item) & servers(server)


class DeletesWhatIsThere(Keeping):
    store = table(item=int)
    gone = eventually(item=int)
    dropped = table(item=int)

    store(item) <+ Keeping.put(_, item)
    store(item) <- Keeping.drop(_, item)
    dropped(item) <= Keeping.drop(_, item)
    gone(item) <= dropped(item) & notin(store(item))


class KeepsTombstones(Keeping):
    added = table(item=int)
    dropped = table(item=int)
    store = scratch(item=int)
    gone = eventually(item=int)

    added(item) <= Keeping.put(_, item)
    dropped(item) <= Keeping.drop(_, item)
    store(item) <= added(item) & notin(dropped(item))
    gone(item) <= dropped(item) & notin(store(item))


deletes_what_is_there = Cluster(server=DeletesWhatIsThere, client=Keeper)
keeps_tombstones = Cluster(server=KeepsTombstones, client=Keeper)

# --- a confirmation of what is not on disk


class Logging(Program):
    put = channel(to=Address, client=Address, item=int)
    ok = channel(to=Address, item=int)


class Logger(Logging):
    """Repeats until confirmed."""

    servers = roster("server")
    write = input(item=int)
    open = table(item=int, durable=True)
    done = table(item=int, durable=True)

    open(item) <= write(item)
    Logging.put(server, here, item) <~ open(item) & servers(server) & notin(done(item))
    done(item) <= Logging.ok(_, item)


class InMemory(Logging):
    items = table(item=int)
    kept = eventually(item=int)

    items(item) <= Logging.put(_, _, item)
    Logging.ok(who, item) <~ Logging.put(_, who, item)
    kept(item) <= items(item)


class OnDisk(Logging):
    items = table(item=int, durable=True)
    kept = eventually(item=int)

    items(item) <= Logging.put(_, _, item)
    Logging.ok(who, item) <~ Logging.put(_, who, item)
    kept(item) <= items(item)


in_memory = Cluster(server=InMemory, client=Logger)
on_disk = Cluster(server=OnDisk, client=Logger)

# --- a lease that is looked up by the clock, which may be set back


class LooksAtTheClock(Program):
    grant = input(key=int)
    check = input(key=int)
    until = table(key=Key(int), time=float, durable=True)
    over = table(key=int)
    revived = invariant(key=int)

    until(item, now() + 1.0) <+- grant(item)
    over(item) <= check(item) & until(item, time) & (now() > time)
    revived(item) <= check(item) & over(item) & until(item, time) & (now() < time)


class OverIsOver(Program):
    grant = input(key=int)
    check = input(key=int)
    until = table(key=Key(int), time=float, durable=True)
    over = table(key=int)
    revived = invariant(key=int)

    until(item, now() + 1.0) <+- grant(item)
    over(item) <= check(item) & until(item, time) & (now() > time)
    until(item, time) <- over(item) & until(item, time)
    revived(item) <= check(item) & over(item) & until(item, time) & (now() < time)


looks_at_the_clock = Cluster(holder=LooksAtTheClock)
over_is_over = Cluster(holder=OverIsOver)
