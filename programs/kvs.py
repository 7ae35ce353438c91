"""A key-value store on one server, as in the Bloom papers.

Source: Alvaro et al., "Consistency Analysis in Bloom" (CIDR 2011), section 3.1.

The store overwrites: of the puts to one key that one tick brings, the latest request wins, and the
next tick's winner replaces it.  Which puts share a tick depends on the network, so `bloomish check`
says that the store needs coordination, at the rule with `<+-`.
"""

from bloomish import (
    Address, Cluster, Key, Program, _, argmax, channel, here, input, output, roster, table,
    variables,
)

client, key, request, server, value = variables("client key request server value")


class Kvs(Program):
    """What clients and servers say to each other."""

    put = channel(server=Address, client=Address, request=int, key=str, value=str)
    ack = channel(client=Address, request=int)
    get = channel(server=Address, client=Address, request=int, key=str)
    reply = channel(client=Address, request=int, value=str)


class Server(Kvs):
    """Keeps one value per key, on disk."""

    store = table(key=Key(str), value=str, durable=True)

    store(key, argmax(value, by=request)) <+- Kvs.put(_, _, request, key, value)
    Kvs.ack(client, request) <~ Kvs.put(_, client, request, _, _)
    Kvs.reply(client, request, value) <~ Kvs.get(_, client, request, key) & store(key, value)


class Client(Kvs):
    """Passes the host's requests to the server and the answers back."""

    servers = roster("server")
    want = input(request=int, key=str, value=str)
    ask = input(request=int, key=str)
    done = output(request=int)
    answer = output(request=int, value=str)

    Kvs.put(server, here, request, key, value) <~ want(request, key, value) & servers(server)
    Kvs.get(server, here, request, key) <~ ask(request, key) & servers(server)
    done(request) <= Kvs.ack(_, request)
    answer(request, value) <= Kvs.reply(_, request, value)


cluster = Cluster(server=Server, client=Client * 2)
