"""The replicated store with a bug: whoever is asked to read answers from what it has itself.

Every answer was right at some time; a follower's may be of yesterday.
"""

from bloomish import Cluster, _, here, variables
from bloomish.programs.multipaxos import Client, Replica, Store

a, b, client, key, number, op, replica, session, value = variables(
    "a b client key number op replica session value"
)


class LocalReplica(Replica):
    """Answers a read at once."""

    Store.reply(client, session, number, True, value) <~ (
        Store.request(_, client, session, number, "get", key, _, _, _)
        & Replica.store(key, value)
    )


class AskingClient(Client):
    """Asks all replicas to read, and takes the first answer."""

    Store.request(replica, here, session, number, "get", key, a, b, True) <~ (
        Client.turn(session, number)
        & Client.waiting(session, number, "get", key, a, b)
        & Client.replicas(replica)
    )


cluster = Cluster(replica=LocalReplica * 3, client=AskingClient)
