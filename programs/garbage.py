"""Garbage in a graph of objects that spreads over nodes: what no root reaches is collected.

Sources: Alvaro, Conway, Hellerstein, Marczak, "Consistency Analysis in Bloom" (CIDR 2011), for
unreachability as the example of what is not monotone; Plainfossé, Shapiro, "A Survey of Distributed
Garbage Collection Techniques" (1995).

A node keeps objects, and the references that go out from them, to objects here and elsewhere.  What
a root reaches is marked, from node to node.  On the host's word a node collects what has no mark,
for good.  But a mark may be under way: a node cannot tell an object that nothing reaches from one
that word has not reached yet.

Nothing here coordinates: `bloomish check` flags the collection, `--coordinate` has it wait until
the hosts say that there are no more references, and no mark is under way.
"""

from bloomish import (
    Address, Cluster, Program, _, channel, input, invariant, notin, output, table, variables,
)

home, node, source, target, thing = variables("home node source target thing")


class Heap(Program):
    """What nodes say to each other: a reference to your object is alive."""

    mark = channel(to=Address, thing=str)


class Node(Heap):
    """Keeps objects, passes marks on, collects."""

    make = input(thing=str)
    refer = input(source=str, home=Address, target=str)
    pin = input(thing=str)
    sweep = input(number=int)

    things = table(thing=str, durable=True)
    references = table(source=str, home=Address, target=str, durable=True)
    reached = table(thing=str, durable=True)
    collected = table(thing=str, durable=True)
    freed = output(thing=str)
    dangling = invariant(thing=str)

    things(thing) <= make(thing)
    references(source, home, target) <= refer(source, home, target)

    reached(thing) <= pin(thing)
    reached(thing) <= Heap.mark(_, thing)
    Heap.mark(home, target) <~ references(source, home, target) & reached(source)

    collected(thing) <+ sweep(_) & things(thing) & notin(reached(thing))
    freed(thing) <= collected(thing)
    dangling(thing) <= collected(thing) & reached(thing)


cluster = Cluster(node=Node * 2)
