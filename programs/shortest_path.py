"""Shortest paths in a network in which every node knows its own links only.

Source: Bellman-Ford as rules: Loo et al., "Declarative Routing: Extensible Routing with Declarative
Queries" (SIGCOMM 2005); with a minimum lattice: Conway et al., "Logic and Lattices for Distributed
Programming" (SoCC 2012), section 4.

A distance is a `Min`: it only ever falls, so a later and better path merges into what is known, and
the network settles on the shortest distances whatever the order in which news arrives.  Links may
appear and become cheaper; a link that becomes dearer would take knowledge back, and is not here.
"""

from bloomish import (
    Address, Cluster, Key, Min, Program, _, channel, here, input, output, table, variables,
)

cost, far, neighbour, target = variables("cost far neighbour target")


class Router(Program):
    """One node of the network; a link is fed to both of its ends."""

    attach = input(neighbour=Address, cost=int)
    link = table(neighbour=Key(Address), cost=Min(int))
    news = channel(to=Key(Address), via=Key(Address), target=Key(Address), cost=Min(int))
    heard = table(via=Key(Address), target=Key(Address), cost=Min(int))
    distance = table(target=Key(Address), cost=Min(int))
    shortest = output(target=Key(Address), cost=Min(int))

    link(neighbour, cost) <= attach(neighbour, cost)
    distance(neighbour, cost) <= link(neighbour, cost)
    distance(target, cost + far) <= link(neighbour, cost) & heard(neighbour, target, far)
    news(neighbour, here, target, far) <~ link(neighbour, _) & distance(target, far)
    heard(neighbour, target, far) <= news(_, neighbour, target, far)
    shortest(target, far) <= distance(target, far) & (target != here)


cluster = Cluster(router=Router * 4)
