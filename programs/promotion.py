"""Primary and backups: when the primary falls silent, a backup takes its place.

Sources: Alsberg, Day, "A Principle for Resilient Sharing of Distributed Resources" (ICSE 1976);
Budhiraja, Marzullo, Schneider, Toueg, "The Primary-Backup Approach" (1993): at any time there must
be at most one primary, which no timeout gives.

Every replica watches the others.  One that suspects the primary proposes itself for the next reign,
to all; a replica takes up the first proposal for a reign that it hears of.  Two backups propose
themselves at the same time, each hears its own first, and both reign: the split brain.  A client
that is served by both, within one reign, says so.

Nothing here coordinates: `bloomish check` flags the promotion, `--coordinate` puts a log before it.
Time enters in the failure detector alone.
"""

from bloomish import (
    Address, Cluster, Key, Program, _, channel, here, input, invariant, min_, output, roster, table,
    use, variables,
)
from bloomish.programs.failure_detector import FailureDetector

client, node, number, one, other, peer, primary, reign, text = variables(
    "client node number one other peer primary reign text"
)


class Group(Program):
    """What clients and replicas say to each other."""

    promote = channel(to=Address, node=Address, reign=int)
    request = channel(to=Address, client=Address, number=int)
    served = channel(to=Address, primary=Address, reign=int, number=int)


class Replica(Group):
    """Serves while it is the primary; proposes itself when it suspects the primary."""

    replicas = roster("replica")
    detector = use(FailureDetector)
    primary = table(one=Key(int), node=Address, reign=int, durable=True)
    reigns = output(node=Address, reign=int)

    detector.told(peer) <= replicas(peer)
    detector.watched(peer) <= replicas(peer)

    Group.promote(peer, here, 1) <~ (
        detector.leader(here) & primary(_, _, 0) & replicas(peer)
    )
    Group.promote(peer, here, reign + 1) <~ (
        detector.suspect(node) & primary(_, node, reign) & replicas(peer)
    )
    primary <= [(0, "", 0)]
    primary(0, min_(node), reign) <+- (
        Group.promote(_, node, reign) & primary(_, _, number) & (reign == number + 1)
    )
    reigns(node, reign) <= primary(_, node, reign) & (reign > 0)

    Group.served(client, here, reign, number) <~ (
        Group.request(_, client, number) & primary(_, here, reign)
    )


class Client(Group):
    """Asks all replicas, of which the primary serves."""

    replicas = roster("replica")
    ask = input(number=int)
    rulers = table(reign=int, primary=Address)
    answered = output(number=int, primary=Address, reign=int)
    split_brain = invariant(reign=int, one=Address, other=Address)

    Group.request(peer, here, number) <~ ask(number) & replicas(peer)
    answered(number, primary, reign) <= Group.served(_, primary, reign, number)

    rulers(reign, primary) <= Group.served(_, primary, reign, _)
    split_brain(reign, one, other) <= rulers(reign, one) & rulers(reign, other) & (one < other)


cluster = Cluster(replica=Replica * 3, client=Client)
