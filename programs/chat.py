"""Chat over one server, after the first program of the Bloom tutorial.

Source: Alvaro, Conway, Hellerstein, Marczak, "Consistency Analysis in Bloom: a CALM and Collected
Approach" (CIDR 2011) and the tutorial of Bud, its implementation in Ruby.

A client keeps asking to join until it is welcomed; the server passes what one client says to all
who are present.  A client that joins late has missed what was said before: its answer is right as
far as it goes, which `bloomish check` calls a snapshot.
"""

from bloomish import (
    Address, Cluster, Program, _, channel, here, input, notin, output, roster, table, variables,
)

member, server, speaker, text = variables("member server speaker text")


class Chat(Program):
    """What clients and the server say to each other."""

    join = channel(server=Address, member=Address)
    welcome = channel(member=Address, server=Address)
    say = channel(server=Address, speaker=Address, text=str)
    hear = channel(member=Address, speaker=Address, text=str)


class Server(Chat):
    """Knows who is present and passes everything on."""

    present = table(member=Address)

    present(member) <= Chat.join(_, member)
    Chat.welcome(member, here) <~ Chat.join(_, member)
    Chat.hear(member, speaker, text) <~ Chat.say(_, speaker, text) & present(member)


class Client(Chat):
    """Sends the lines it is given, hands out the lines it hears."""

    servers = roster("server")
    joined = table(server=Address)
    line = input(text=str)
    screen = output(speaker=Address, text=str)

    Chat.join(server, here) <~ servers(server) & notin(joined(server))
    joined(server) <= Chat.welcome(_, server)
    Chat.say(server, here, text) <~ line(text) & servers(server)
    screen(speaker, text) <= Chat.hear(_, speaker, text)


cluster = Cluster(server=Server, client=Client * 2)
