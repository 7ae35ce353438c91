"""Questions for all of a stream, with those who feed it: what a seal answers, and what not.

The micro-programs M3, M5, M7, M16, M21, M25 and M26 ask of channels that nobody
in them sends on.  Here somebody does.
"""

from bloomish import Address, Cluster, Key, Program, _, assume, channel, choose, const, count
from bloomish import here, input, notin, output, periodic, roster, scratch, sum_, table, variables

k, n, q, to, who, x, y = variables("k n q to who x y")


class Items(Program):
    """What producers and consumers of items say."""

    item = channel(to=Address, id=int)


class Giver(Items):
    """Passes on what its host gives."""

    takers = roster("taker")
    give = input(id=int)

    Items.item(to, x) <~ give(x) & takers(to)


class Wedding(Program):
    """M3: what is said at a ceremony."""

    i_do = channel(to=Address, ceremony=int, who=str)


class Guest(Wedding):
    """Says what its host has it say."""

    registrars = roster("registrar")
    vow = input(ceremony=int, who=str)

    Wedding.i_do(to, k, who) <~ vow(k, who) & registrars(to)


class Registrar(Wedding):
    """Remembers who was left."""

    couple = const(ceremony=int, who=str, other=str)
    said = table(ceremony=int, who=str)
    jilted = table(ceremony=int, who=str)

    couple <= [(1, "x", "y"), (1, "y", "x")]
    said(k, who) <= Wedding.i_do(_, k, who)
    jilted(k, who) <= said(k, who) & couple(k, who, y) & notin(said(k, y))


class Vows(Wedding):
    """Says what is known from the start: it has ended when it begins."""

    registrars = roster("registrar")
    vow = const(ceremony=int, who=str)

    vow <= [(1, "x")]
    Wedding.i_do(to, k, who) <~ vow(k, who) & registrars(to)


class Counter(Items):
    """M5: sends its count."""

    report = channel(to=Address, n=int)
    peers = roster("taker")
    seen = table(id=int)
    total = scratch(n=int)
    reports = table(n=int)

    seen(x) <= Items.item(_, x)
    total(count(x)) <= seen(x)
    report(to, n) <~ total(n) & peers(to)
    reports(n) <= report(_, n)


class Single(Items):
    """M7: remembers that there was exactly one."""

    seen = table(id=int)
    total = scratch(n=int)
    single = table(text=str)

    seen(x) <= Items.item(_, x)
    total(count(x)) <= seen(x)
    single("one") <= total(n) & (n == 1)


class Absent(Items):
    """M16: absence is asked for by a host."""

    ask = input(question=int, id=int)
    items = table(id=int)
    absent = output(question=int, id=int)

    items(x) <= Items.item(_, x)
    absent(q, x) <= ask(q, x) & notin(items(x))


class Cached(Items):
    """M21: a count at a point in time, kept by every replica."""

    ask = input(question=int)
    items = table(id=int)
    total = scratch(n=int)
    cached = table(question=Key(int), n=int)

    items(x) <= Items.item(_, x)
    total(count(x)) <= items(x)
    cached(q, n) <= ask(q) & total(n)


class Passing(Items):
    """Counts what one tick brings: no table holds it."""

    total = output(n=int)

    total(count(x)) <= Items.item(_, x)


class Chosen(Items):
    """Hands out one of all."""

    items = table(id=int)
    winner = output(id=int)

    items(x) <= Items.item(_, x)
    winner(choose(x)) <= items(x)


class Live(Program):
    """M26: what is added and removed."""

    add = channel(to=Address, id=int)
    remove = channel(to=Address, id=int)


class Editor(Live):
    """Adds and removes at its host's word."""

    takers = roster("taker")
    added = input(id=int)
    removed = input(id=int)

    Live.add(to, x) <~ added(x) & takers(to)
    Live.remove(to, x) <~ removed(x) & takers(to)


class Viewer(Live):
    """Sends its view of what lives."""

    report = channel(to=Address, id=int)
    peers = roster("taker")
    added = table(id=int)
    removed = table(id=int)
    live = scratch(id=int)
    reports = table(id=int)

    added(x) <= Live.add(_, x)
    removed(x) <= Live.remove(_, x)
    live(x) <= added(x) & notin(removed(x))
    report(to, x) <~ live(x) & peers(to)
    reports(x) <= report(_, x)


class Local(Program):
    """Asks for all of what its own host gives."""

    item = input(batch=int, id=int)
    items = table(batch=int, id=int)
    total = output(batch=int, n=int)

    items(k, x) <= item(k, x)
    total(k, count(x)) <= items(k, x)


class Tallies(Program):
    """Two stages of counting."""

    tally = channel(to=Address, sender=Address, job=int, n=int)


class Combiner(Tallies):
    """Counts before it sends: its own question comes first."""

    takers = roster("taker")
    give = input(job=int, id=int)
    given = table(job=int, id=int)
    mine = scratch(job=Key(int), n=int)

    given(k, x) <= give(k, x)
    mine(k, count(x)) <= given(k, x)
    Tallies.tally(to, here, k, n) <~ mine(k, n) & takers(to)


class Adder(Tallies):
    """Adds up what was counted."""

    tallies = table(sender=Address, job=int, n=int)
    total = output(job=int, n=int)

    tallies(who, k, n) <= Tallies.tally(_, who, k, n)
    total(k, sum_(n)) <= tallies(_, k, n)


class Relay(Items):
    """Passes items on: what it sends ends when what it gets has ended."""

    passed = channel(to=Address, id=int)


class Middle(Relay):
    """Keeps and passes on."""

    ends = roster("end")
    items = table(id=int)

    items(x) <= Items.item(_, x)
    Relay.passed(to, x) <~ items(x) & ends(to)


class Last(Relay):
    """Counts what was passed."""

    seen = table(id=int)
    total = output(n=int)

    seen(x) <= Relay.passed(_, x)
    total(count(x)) <= seen(x)


class Finishing(Items):
    """Has a word of its own for the end."""

    takers = roster("taker")
    give = input(id=int)
    finished = input(reason=str)

    assume("ends", finished)
    Items.item(to, x) <~ give(x) & takers(to)


class Pairs(Program):
    """What is known of the rows of a channel."""

    pair = channel(to=Address, key=int, value=int)
    assume("fd", pair, key="key", value="value")


class PairGiver(Pairs):
    """Sends what its host gives."""

    takers = roster("taker")
    give = input(key=int, value=int)

    Pairs.pair(to, k, x) <~ give(k, x) & takers(to)


class PairTaker(Pairs):
    """Keeps one value per key, by what is assumed; sums up."""

    pairs = table(key=Key(int), value=int)
    total = output(n=int)

    pairs(k, x) <= Pairs.pair(_, k, x)
    total(sum_(x)) <= pairs(_, x)


class Delayed(Items):
    """Sends a tick later."""

    takers = roster("taker")
    give = input(id=int)
    given = table(id=int)

    given(x) <+ give(x)
    Items.item(to, x) <~ given(x) & takers(to)


class Beating(Items):
    """Sends when a timer fires."""

    takers = roster("taker")
    beat = periodic(1)
    give = input(id=int)
    given = table(id=int)

    given(x) <= give(x)
    Items.item(to, x) <~ beat(_) & given(x) & takers(to)


class Round(Items):
    """Sends on what it gets: nobody knows by itself when the last has come."""

    peers = roster("taker")
    give = input(id=int)
    seen = table(id=int)
    total = output(n=int)

    seen(x) <= Items.item(_, x)
    Items.item(to, x) <~ give(x) & peers(to)
    Items.item(to, x + 1) <~ seen(x) & peers(to) & (x < 3)
    total(count(x)) <= seen(x)


class Polls(Program):
    """Votes by ballot."""

    vote = channel(to=Address, ballot=int, voter=int)


class Voter(Polls):
    """Votes at its host's word."""

    tellers = roster("teller")
    give = input(ballot=int, voter=int)

    Polls.vote(to, k, x) <~ give(k, x) & tellers(to)


class Teller(Polls):
    """Asks for all of a ballot, and on the answer for all of the ballots."""

    votes = table(ballot=int, voter=int)
    turnout = scratch(n=int)
    tally = output(ballot=int, n=int)
    enough = table(ballot=int)

    votes(k, x) <= Polls.vote(_, k, x)
    turnout(count(x)) <= votes(_, x)
    tally(k, count(x)) <= votes(k, x)
    enough(k) <= tally(k, n) & turnout(q) & (n > q / 2)


class Ping(Program):
    """Goes round by two channels."""

    ping = channel(to=Address, sender=Address, id=int)
    pong = channel(to=Address, id=int)


class Returner(Ping):
    """Sends back what it gets."""

    Ping.pong(who, x + 1) <~ Ping.ping(_, who, x) & (x < 3)


class Server(Ping):
    """Counts what came back."""

    returners = roster("returner")
    give = input(id=int)
    seen = table(id=int)
    total = output(n=int)

    seen(x) <= Ping.pong(_, x)
    Ping.ping(to, here, x) <~ give(x) & returners(to)
    Ping.ping(to, here, x) <~ seen(x) & returners(to)
    total(count(x)) <= seen(x)


marriage = Cluster(guest=Guest * 2, registrar=Registrar)
known_vows = Cluster(guest=Vows * 2, registrar=Registrar)
counted = Cluster(giver=Giver * 2, taker=Counter)
single = Cluster(giver=Giver * 2, taker=Single)
absent = Cluster(giver=Giver * 2, taker=Absent)
cached = Cluster(giver=Giver, taker=Cached * 2)
passing = Cluster(giver=Giver * 2, taker=Passing)
chosen = Cluster(giver=Giver * 2, taker=Chosen)
live = Cluster(editor=Editor * 2, taker=Viewer)
local = Cluster(taker=Local * 2)
combined = Cluster(combiner=Combiner * 2, taker=Adder)
relayed = Cluster(giver=Giver * 2, taker=Middle, end=Last)
finishing = Cluster(giver=Finishing * 2, taker=Single)
vouched = Cluster(giver=PairGiver, taker=PairTaker)
SEALED = (
    "marriage", "known_vows", "counted", "single", "absent", "cached", "passing", "chosen", "live",
    "local", "combined", "relayed", "finishing", "vouched",
)  # fmt: skip

going_round = Cluster(taker=Round * 2)
ROUNDS = ("going_round",)

delayed = Cluster(giver=Delayed, taker=Single)
beating = Cluster(giver=Beating, taker=Single)
two_channels = Cluster(returner=Returner, server=Server)
polls = Cluster(voter=Voter * 2, teller=Teller)
REFUSED = ("delayed", "beating", "two_channels", "polls")
