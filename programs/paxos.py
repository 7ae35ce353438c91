"""Single-decree Paxos: of the values that are proposed, one is decided, for ever.

Source: Lamport, "The Part-Time Parliament" (TOCS 1998) and "Paxos Made Simple" (2001), whose
properties P1 and P2c the comments name.

Every node is proposer, acceptor and learner.  A decision has a name, its *instance*; decisions of
different names have nothing to do with each other.

- A ballot is a pair (round, node), so no two nodes ever use the same one.  Ballots are ordered, and
  what an acceptor has promised is a `Max` of them.
- An acceptor's vote is the value of the highest ballot it voted in: a `Lex` of ballot and value.
- Promises, votes and the proposer's own ballots and proposals are durable: a node that comes back
  is as slow as a node that was late, and nothing worse.
- Who proposes is left to the failure detector, for progress alone: two that both take themselves
  for the leader overtake each other's ballots and decide nothing, until the detector settles.

Safe with any loss, repetition, order and delay, any crash and restart; live when a majority is up
and hears each other.  Lost disks are not survived: an acceptor that forgets a promise lies.
"""

from bloomish import (
    Address, Cluster, Key, Lex, Max, Program, SetUnion, _, channel, function, here, input, min_,
    notin, output, protocol, roster, scratch, size, table, use, variables,
)
from bloomish.programs.failure_detector import FailureDetector

acceptor, acceptors, ballot, best, cast, higher, instance, leader = variables(
    "acceptor acceptors ballot best cast higher instance leader"
)
node, sender, value, voters = variables("node sender value voters")

NEVER = (0, "")
"""The ballot of a vote that was never cast."""


@function
def above(ballot: tuple[int, Address], node: Address) -> tuple[int, Address]:
    """The least ballot of a node that is higher in round."""
    return (ballot[0] + 1, node)


class Paxos(Program):
    """What the nodes say to each other."""

    nodes = roster("node")

    prepare = channel(to=Address, instance=str, ballot=(int, Address), leader=Address)
    promise = channel(
        to=Address, instance=str, ballot=(int, Address), acceptor=Address,
        vote=Lex(Max((int, Address)), Max(str)),
    )
    accept = channel(to=Address, instance=str, ballot=(int, Address), leader=Address, value=str)
    voted = channel(
        to=Address, instance=str, ballot=(int, Address), value=str, acceptor=Address
    )
    overtaken = channel(to=Address, instance=str, ballot=(int, Address))
    forward = channel(to=Address, instance=str, value=str)
    inform = channel(to=Address, instance=str, value=str, sender=Address)
    informed = channel(to=Address, instance=str, node=Address)


class Acceptor(Paxos):
    """Promises and votes; both are on disk before anybody is told."""

    protocol(by="ballot order")

    promised = table(instance=Key(str), ballot=Max((int, Address)), durable=True)
    vote = table(instance=Key(str), vote=Lex(Max((int, Address)), Max(str)), durable=True)

    # P1: it votes in the highest ballot it has heard of, or not at all.
    promised(instance, ballot) <= Paxos.prepare(_, instance, ballot, _)
    promised(instance, ballot) <= Paxos.accept(_, instance, ballot, _, _)
    vote(instance, (NEVER, "")) <= promised(instance, _)
    vote(instance, (ballot, value)) <= (
        Paxos.accept(_, instance, ballot, _, value) & promised(instance, ballot)
    )

    # The vote travels in the row of the promise: without it the promise would be a lie.
    Paxos.promise(leader, instance, ballot, here, cast) <~ (
        Paxos.prepare(_, instance, ballot, leader)
        & promised(instance, ballot) & vote(instance, cast)
    )
    Paxos.voted(leader, instance, ballot, value, here) <~ (
        Paxos.accept(_, instance, ballot, leader, value) & promised(instance, ballot)
    )
    Paxos.overtaken(leader, instance, higher) <~ (
        Paxos.prepare(_, instance, ballot, leader)
        & promised(instance, higher) & (higher > ballot)
    )
    Paxos.overtaken(leader, instance, higher) <~ (
        Paxos.accept(_, instance, ballot, leader, _)
        & promised(instance, higher) & (higher > ballot)
    )


class Learner(Paxos):
    """Knows what is decided: what a majority has voted for in one ballot.

    `decided` has no key: nothing but the protocol keeps it to one value, and a breach would show.
    """

    protocol(by="majorities meet")

    tally = table(
        instance=Key(str), ballot=Key((int, Address)), value=Key(str), voters=SetUnion(Address)
    )
    decided = table(instance=str, value=str, durable=True)
    chosen = output(instance=str, value=str)

    tally(instance, ballot, value, {acceptor}) <= (
        Paxos.voted(_, instance, ballot, value, acceptor)
    )
    decided(instance, value) <= (
        tally(instance, _, value, voters) & (size(voters) > size(Paxos.nodes) / 2)
    )
    decided(instance, value) <= Paxos.inform(_, instance, value, _)
    chosen(instance, value) <= decided(instance, value)

    Paxos.informed(sender, instance, here) <~ Paxos.inform(_, instance, _, sender)


class Node(Acceptor, Learner):
    """Proposes, too, when it is the leader; passes what it wants to the leader when it is not."""

    protocol(by=("ballot order", "majorities meet"))

    detector = use(FailureDetector)
    propose = input(instance=str, value=str)
    wish = table(instance=str, value=str, durable=True)
    own = scratch(instance=Key(str), value=str)
    contended = scratch(instance=str)       # what this node is to bring about

    attempt = table(instance=Key(str), ballot=Max((int, Address)), durable=True)
    promises = table(
        instance=Key(str), ballot=Key((int, Address)), acceptors=SetUnion(Address),
        best=Lex(Max((int, Address)), Max(str)),
    )
    free = scratch(instance=str, ballot=(int, Address))
    bound = scratch(instance=str, ballot=(int, Address), value=str)
    proposal = table(
        instance=Key(str), ballot=Key((int, Address)), value=str, durable=True
    )
    knows = table(node=Address, instance=str)

    detector.told(node) <= Paxos.nodes(node)
    detector.watched(node) <= Paxos.nodes(node)

    wish(instance, value) <= propose(instance, value)
    wish(instance, value) <= Paxos.forward(_, instance, value)
    own(instance, min_(value)) <= wish(instance, value)
    contended(instance) <= (
        wish(instance, _) & detector.leader(here) & notin(Learner.decided(instance, _))
    )
    Paxos.forward(leader, instance, value) <~ (
        wish(instance, value) & detector.leader(leader) & (leader != here)
        & notin(Learner.decided(instance, _))
    )

    # A new ballot when there was none, or when a higher one has been heard of.
    Acceptor.promised(instance, NEVER) <= contended(instance)
    Acceptor.promised(instance, ballot) <= attempt(instance, ballot)
    attempt(instance, above(ballot, here)) <+ (
        contended(instance) & Acceptor.promised(instance, ballot) & notin(attempt(instance, ballot))
    )
    Paxos.prepare(node, instance, ballot, here) <~ (
        contended(instance) & attempt(instance, ballot) & Paxos.nodes(node)
        & notin(proposal(instance, ballot, _))
    )
    Acceptor.promised(instance, ballot) <= Paxos.overtaken(_, instance, ballot)

    # P2c: with promises of a majority, propose what the highest of their votes is for; a value of
    # one's own where none has voted.  One value per ballot, for ever.
    promises(instance, ballot, {acceptor}, cast) <= (
        Paxos.promise(_, instance, ballot, acceptor, cast) & attempt(instance, ballot)
    )
    free(instance, ballot) <= (
        promises(instance, ballot, acceptors, best) & attempt(instance, ballot)
        & (size(acceptors) > size(Paxos.nodes) / 2) & (best.version() == NEVER)
    )
    bound(instance, ballot, best.value()) <= (
        promises(instance, ballot, acceptors, best) & attempt(instance, ballot)
        & (size(acceptors) > size(Paxos.nodes) / 2) & (best.version() != NEVER)
    )
    proposal(instance, ballot, value) <+ (
        free(instance, ballot) & own(instance, value) & notin(proposal(instance, ballot, _))
    )
    proposal(instance, ballot, value) <+ (
        bound(instance, ballot, value) & notin(proposal(instance, ballot, _))
    )
    Paxos.accept(node, instance, ballot, here, value) <~ (
        contended(instance) & attempt(instance, ballot) & proposal(instance, ballot, value)
        & Paxos.nodes(node)
    )

    # The leader tells the others until they say that they know.
    Paxos.inform(node, instance, value, here) <~ (
        Learner.decided(instance, value) & detector.leader(here) & Paxos.nodes(node)
        & notin(knows(node, instance))
    )
    knows(node, instance) <= Paxos.informed(_, instance, node)


cluster = Cluster(node=Node * 3)
