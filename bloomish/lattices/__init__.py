"""Lattices: values that only grow, and merge whatever the order they come in.

`declare` is what programs write, `structure` and `operations` what merges, and
`methods` what may be asked of a value and whether the answer only grows.
"""

from __future__ import annotations

from collections.abc import Mapping

from bloomish import ir
from bloomish.lattices.declare import (
    Antichain,
    Bool,
    GCounter,
    Lattice,
    Lex,
    LWWRegister,
    MapUnion,
    Max,
    Min,
    MVRegister,
    ORSet,
    Pair,
    PNCounter,
    SetUnion,
    VectorClock,
    monotone,
    morphism,
)
from bloomish.lattices.methods import METHODS, LatticeMethod, NoSuchMethod, method_of, methods_of
from bloomish.lattices.structure import structure

__all__ = [
    "METHODS",
    "Antichain",
    "Bool",
    "GCounter",
    "LWWRegister",
    "Lattice",
    "LatticeMethod",
    "Lex",
    "MVRegister",
    "MapUnion",
    "Max",
    "Min",
    "NoSuchMethod",
    "ORSet",
    "PNCounter",
    "Pair",
    "SetUnion",
    "VectorClock",
    "method_of",
    "method_type",
    "methods_of",
    "monotone",
    "morphism",
    "structure",
]


def method_type(
    receiver: ir.Lattice,
    name: str,
    args: tuple[ir.Type, ...],
    declared: Mapping[str, ir.LatticeDecl],
) -> ir.Type:
    """The type that a method gives; LookupError or TypeError where it does not fit."""
    method = method_of(declared, receiver, name)
    if receiver.name not in declared:
        wanted = method.parameters(receiver)
        if len(wanted) != len(args):
            raise TypeError(f"{receiver.name}.{name} takes {len(wanted)} values, not {len(args)}")
    return method.result(receiver, args)
