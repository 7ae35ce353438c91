"""What a lattice's methods keep, per argument: Bud's table (4.4) and users' marks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bloomish import ir
from bloomish.lattices.methods import method_of
from bloomish.lattices.structure import ANY, structure


@dataclass(frozen=True, slots=True)
class Signature:
    """Class of the method, polarities (receiver first), parameter and result types."""

    kept: ir.MethodClass
    polarity: tuple[str, ...]
    parameters: tuple[ir.Type, ...]
    result: ir.Type

    def polarity_of(self, place: int) -> str:
        """An argument that is not listed must not move."""
        return self.polarity[place] if place < len(self.polarity) else "0"

    def wants(self, place: int) -> ir.Type | None:
        """The lattice that an argument must be of, if it must."""
        if not 0 < place <= len(self.parameters):
            return None
        wanted = self.parameters[place - 1]
        return structure(wanted) if isinstance(wanted, ir.Lattice) else None


def method_signature(
    type: ir.Lattice, name: str, declared: Mapping[str, ir.LatticeDecl], count: int
) -> Signature:
    """The signature of a method of a lattice, shipped or the user's.

    `count` arguments; a result that depends on their types is given loosely.
    """
    method = method_of(declared, type, name)
    return Signature(
        method.kind,
        tuple(method.polarity),
        method.parameters(type),
        method.result(type, (ANY,) * count),
    )
