"""Transitive closure of a link table that is split over several nodes.

Source: Loo et al., "Declarative Networking: Language, Execution and Optimization" (SIGMOD 2006),
whose reachability program this is, with vertices placed by hash as in a partitioned database.

A link lives with the node that owns its source; a path travels to the node that owns its target,
where the links are that lengthen it.  All of it is monotone: links may come at any time, at any
node and in any order, and no path is ever taken back.
"""

from zlib import crc32

from bloomish import (
    Address, Cluster, Program, _, channel, function, index, input, output, roster, scratch, size,
    table, variables,
)

node, place, x, y, z = variables("node place x y z")


@function
def owner(vertex: str, nodes: int) -> int:
    """The place of the node that owns a vertex, the same at every node."""
    return crc32(vertex.encode()) % nodes


class Closure(Program):
    """Links in, paths out; every node runs the same rules over its own part."""

    nodes = roster("part")
    ring = scratch(place=int, node=Address)
    edge = input(source=str, target=str)
    link = table(source=str, target=str)
    path = table(source=str, target=str)
    reachable = output(source=str, target=str)

    place_link = channel(to=Address, source=str, target=str)
    place_path = channel(to=Address, source=str, target=str)

    ring(index(node), node) <= nodes(node)

    place_link(node, x, y) <~ edge(x, y) & (place == owner(x, size(nodes))) & ring(place, node)
    link(x, y) <= place_link(_, x, y)

    # A link is a path; a path that has come to its target's owner grows by the links from there.
    place_path(node, x, y) <~ link(x, y) & (place == owner(y, size(nodes))) & ring(place, node)
    place_path(node, x, z) <~ (
        path(x, y) & link(y, z) & (place == owner(z, size(nodes))) & ring(place, node)
    )
    path(x, y) <= place_path(_, x, y)
    reachable(x, y) <= path(x, y)


cluster = Cluster(part=Closure * 3)
