"""Quorum vote: a ballot is elected once a majority of a fixed electorate has voted for it.

Source: Gifford, "Weighted Voting for Replicated Data" (SOSP 1979); as a monotone threshold:
Conway et al., "Logic and Lattices for Distributed Programming" (SoCC 2012), section 3.

The set of voters of a ballot only grows and the electorate never changes, so passing the threshold
is final and needs no coordination.  Each voter votes once, and two majorities share a voter: of
rival ballots at most one is elected.  With an odd electorate of n, (n - 1) / 2 may be down.
"""

from bloomish import (
    Address, Cluster, Key, Program, SetUnion, _, channel, here, input, output, roster, size,
    table, variables,
)

ballot, teller, voter, voters = variables("ballot teller voter voters")


class Poll(Program):
    """What voters say to tellers."""

    vote = channel(to=Address, ballot=int, voter=Address)


class Vote(Poll):
    """Announce a ballot once a majority of the electorate has voted for it."""

    electorate = roster("voter")
    tally = table(ballot=Key(int), voters=SetUnion(Address))
    elected = output(ballot=int)

    tally(ballot, {voter}) <= Poll.vote(_, ballot, voter)
    elected(ballot) <= tally(ballot, voters) & (size(voters) > size(electorate) / 2)


class Voter(Poll):
    """Casts the host's vote, and repeats it: a channel may lose."""

    tellers = roster("teller")
    cast = input(ballot=int)
    mine = table(ballot=int)

    mine(ballot) <= cast(ballot)
    Poll.vote(teller, ballot, here) <~ mine(ballot) & tellers(teller)


cluster = Cluster(teller=Vote, voter=Voter * 5)
