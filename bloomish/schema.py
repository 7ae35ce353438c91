"""A program's declarations by name; built once where many rules are looked at."""

from __future__ import annotations

from bloomish import ir


class Schema:
    """Collections, functions and lattices of a program, by name."""

    __slots__ = ("collections", "functions", "lattices", "program")

    def __init__(self, program: ir.Program) -> None:
        self.program = program
        self.collections = {c.name: c for c in program.collections}
        self.functions = {f.name: f for f in program.functions}
        self.lattices = {decl.name: decl for decl in program.lattices}


def schema_of(program: ir.Program | Schema) -> Schema:
    """What the passes take: a program, or its schema where the caller has it already."""
    return program if isinstance(program, Schema) else Schema(program)
