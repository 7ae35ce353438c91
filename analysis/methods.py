"""What a lattice's methods keep, per argument: the table of 4.4 and users' marks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bloomish import ir


@dataclass(frozen=True, slots=True)
class Signature:
    """Class of the method, polarity of the receiver and the arguments, result type."""

    kept: ir.MethodClass
    receiver: str = "+"
    arguments: tuple[str, ...] = ()
    result: ir.Type | None = None

    def polarities(self, count: int) -> tuple[str, ...]:
        """One per receiver and argument; an argument that is not listed must be plain."""
        listed = (self.receiver, *self.arguments)
        return (*listed, *("*" for _ in range(count - len(listed))))[:count]


UNKNOWN = Signature("plain", "*")


def method_signature(
    type: ir.Lattice, name: str, declared: Mapping[str, ir.LatticeDecl]
) -> Signature:
    """The signature of a method of a lattice, shipped or the user's."""
    if type.name in declared:
        lattice = declared[type.name]
        kept = dict(lattice.methods).get(name, "plain")
        return Signature(kept, "+", (), dict(lattice.results).get(name))
    return UNKNOWN
