"""The structural core of the shipped lattices.

Eight lattices are primitive: Max, Min, Bool, SetUnion, MapUnion, Pair, Lex and
Antichain.  The others are names for compositions of these, as in "Logic and
Lattices" (Conway et al., SoCC 2012), section 3, and "A comprehensive study of
CRDTs" (Shapiro et al., 2011); a composition is correct because its parts are.
"""

from __future__ import annotations

from bloomish import ir

ADDRESS = ir.Plain("Address")
ANY = ir.Plain("Any")
INT = ir.Plain("int")
BOOL = ir.Plain("bool")
FLOAT = ir.Plain("float")

# name -> how many type arguments it takes
PRIMITIVE = {
    "Max": 1,
    "Min": 1,
    "Bool": 0,
    "SetUnion": 1,
    "MapUnion": 2,
    "Pair": 2,
    "Lex": 2,
    "Antichain": 2,
}
NAMED = {
    "VectorClock": 0,
    "LWWRegister": 1,
    "MVRegister": 1,
    "GCounter": 0,
    "PNCounter": 0,
    "ORSet": 1,
}
ARITY = PRIMITIVE | NAMED


def lattice(name: str, *args: ir.Type) -> ir.Lattice:
    """`lattice("Max", INT)`: shorthand."""
    return ir.Lattice(name, args)


COUNTS = lattice("MapUnion", ADDRESS, lattice("Max", INT))


def expand(type_: ir.Lattice) -> ir.Lattice:
    """One step: a named lattice to what it is made of; all others as they are."""
    match type_.name:
        case "VectorClock" | "GCounter":
            return COUNTS
        case "PNCounter":
            return lattice("Pair", COUNTS, COUNTS)
        case "LWWRegister":
            stamp = lattice("Max", ir.TupleOf((ANY, ADDRESS)))
            return lattice("Lex", stamp, lattice("Max", type_.args[0]))
        case "MVRegister":
            return lattice("Antichain", lattice("VectorClock"), type_.args[0])
        case "ORSet":
            tagged = lattice("SetUnion", ir.TupleOf((type_.args[0], ANY)))
            return lattice("Pair", tagged, tagged)
        case _:
            return type_


def structure(type_: ir.Lattice) -> ir.Lattice:
    """The lattice over primitives alone, all the way down.

    Users' lattices stay names.
    """
    outer = expand(type_)
    return ir.Lattice(outer.name, tuple(_within(arg) for arg in outer.args))


def _within(type_: ir.Type) -> ir.Type:
    if isinstance(type_, ir.Lattice):
        return structure(type_)
    if isinstance(type_, ir.TupleOf):
        return ir.TupleOf(tuple(_within(item) for item in type_.items))
    return type_
