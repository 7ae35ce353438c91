"""From class bodies to one `ir.Program`: inheritance and `use` resolved.

Base classes come first, in reverse resolution order, so that a rule keeps its
name (`elected_1`) when a subclass adds others.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bloomish import ir, rename
from bloomish.collections import Collection, Embedding
from bloomish.errors import ProgramError, counted
from bloomish.externals import Externals
from bloomish.functions import Function
from bloomish.lattices.structure import expand
from bloomish.scope import Boundary, Given, Scope, Stated
from bloomish.terms import Lattices
from bloomish.values import Misfit, Values

if TYPE_CHECKING:
    from bloomish.terms import Use


@dataclass(frozen=True, slots=True)
class Compiled:
    """A program as data, and the Python that it calls."""

    program: ir.Program
    externals: Externals


def _name_of(used: Use) -> str:
    """By which the things that a rule uses are taken in one order, whatever the hash seed."""
    return str(getattr(used, "name", "") or getattr(used, "__name__", type(used).__name__))


class _Builder:
    """Collects one program, class by class."""

    def __init__(self, cls: type[Any]) -> None:
        self.cls = cls
        self.classes = [base for base in reversed(cls.__mro__) if "_bloomish_scope" in vars(base)]
        self.scopes = {scope_of(base) for base in self.classes}
        self.collections: dict[str, ir.Collection] = {}
        self.rules: list[ir.Rule] = []
        self.given: list[ir.Facts | Given] = []
        self.guards: list[ir.Guard] = []
        self.assumptions: list[ir.Assume] = []
        self.functions: dict[str, tuple[ir.FunctionDecl, Any]] = {}
        self.lattices: dict[str, tuple[ir.LatticeDecl, type[Any]]] = {}
        self.ordinals: dict[str, int] = {}

    def build(self) -> Compiled:
        for base in self.classes:
            for declared in scope_of(base).statements.declared:
                if isinstance(declared, Embedding):
                    self.embed(declared)
                else:
                    self.declare(declared, base)
        for base in self.classes:
            statements = scope_of(base).statements
            for stated in statements.rules:
                self.state(stated)
            for given in statements.facts:
                self.refer(given.span, frozenset({given.collection}))
                self.given.append(given)
            for boundary in statements.boundaries:
                self.bound(boundary)
        classes = {name: cls for name, (_, cls) in self.lattices.items()}
        values = Values((decl for decl, _ in self.lattices.values()), classes)
        for decl, cls in self.lattices.values():
            _check_bottom(decl, cls, values)
        own = scope_of(self.cls)
        program = ir.Program(
            name=self.cls.__name__,
            collections=tuple(self.collections.values()),
            rules=tuple(self.rules),
            facts=tuple(self.facts(given, values) for given in self.given),
            lattices=tuple(decl for decl, _ in self.lattices.values()),
            functions=tuple(decl for decl, _ in self.functions.values()),
            guards=tuple(self.guards),
            assumptions=tuple(self.assumptions),
            doc=inspect.cleandoc(vars(self.cls).get("__doc__") or ""),
            span=own.span,
        )
        functions = {name: python for name, (_, python) in self.functions.items()}
        return Compiled(program, Externals(functions, classes))

    # ------------------------------------------------------------- declarations

    def add(self, collection: ir.Collection) -> None:
        known = self.collections.get(collection.name)
        if known is not None:
            raise ProgramError(
                scope_of(self.cls).span,
                f"two base classes declare `{collection.name}`: at {known.span.file}:"
                f"{known.span.line} and at {collection.span.file}:{collection.span.line}",
                "declare it once, in a class that both inherit",
            )
        self.collections[collection.name] = collection

    def declare(self, declared: Collection, owner: type[Any]) -> None:
        data = declared._data
        if data.kind == "channel" and not data.wire:
            data = replace(data, wire=f"{owner.__name__}.{data.name}")
        self.add(data)
        self.classes_used(declared._lattices, data.span)

    def embed(self, embedding: Embedding) -> None:
        inner = compiled(embedding._program)
        program = rename.embedded(inner.program, embedding._name)
        for collection in program.collections:
            self.add(collection)
        self.rules += program.rules
        for rule in program.rules:
            self.ordinals[rule.head] = self.ordinals.get(rule.head, 0) + 1
        self.given += program.facts
        self.guards += program.guards
        self.assumptions += program.assumptions
        for decl in program.functions:
            self.function(decl, inner.externals.functions[decl.name], embedding._span)
        for lattice in program.lattices:
            self.lattice(lattice, inner.externals.lattices[lattice.name], embedding._span)

    def function(self, decl: ir.FunctionDecl, python: Any, span: ir.Span) -> None:
        _only_one(self.functions.setdefault(decl.name, (decl, python)), decl, python, span)

    def lattice(self, decl: ir.LatticeDecl, cls: type[Any], span: ir.Span) -> None:
        _only_one(self.lattices.setdefault(decl.name, (decl, cls)), decl, cls, span)

    def classes_used(self, classes: frozenset[type[Any]], span: ir.Span) -> None:
        for cls in sorted(classes, key=lambda c: (c.__module__, c.__qualname__)):
            self.lattice(cls.__ir_decl__(), cls, span)

    # --------------------------------------------------------------- statements

    def refer(self, span: ir.Span, uses: frozenset[Use]) -> None:
        """Collections belong to this program; functions become part of it."""
        for used in sorted(uses, key=_name_of):
            if isinstance(used, Function):
                self.function(used._decl, used.__wrapped__, span)
                self.classes_used(used._lattices, used._decl.span)
            elif isinstance(used, Lattices):
                self.classes_used(used.classes, span)
            elif used._root not in self.scopes:
                raise _foreign(span, used, self.cls)

    def state(self, stated: Stated) -> None:
        self.refer(stated.span, stated.uses)
        head = stated.head.name
        ordinal = self.ordinals[head] = self.ordinals.get(head, 0) + 1
        args = tuple(
            arg if isinstance(arg, ir.Aggregate) else _lifted(arg, column.type)
            for arg, column in zip(stated.args, stated.head.columns, strict=True)
        )
        self.rules.append(
            ir.Rule(f"{head}_{ordinal}", head, args, stated.op, stated.body, span=stated.span)
        )

    def bound(self, boundary: Boundary) -> None:
        self.refer(boundary.span, boundary.uses)
        if isinstance(boundary.value, ir.Guard):
            self.guards.append(boundary.value)
        else:
            self.assumptions.append(boundary.value)

    def facts(self, given: ir.Facts | Given, values: Values) -> ir.Facts:
        if isinstance(given, ir.Facts):
            return given
        collection = self.collections[given.collection.name]
        rows = tuple(_row(collection, row, values, given.span) for row in given.rows)
        return ir.Facts(collection.name, rows, given.at, given.span)


def _lifted(expr: ir.Expr, type_: ir.Type) -> ir.Expr:
    """`(version, value)` in an antichain's place is the antichain of that one; Python has no
    set of it where the version is a map or a set, as these have no hash."""
    if not isinstance(type_, ir.Lattice):
        return expr
    core = expand(type_)
    match core.name, expr:
        case "Antichain", ir.TupleExpr((_, _)):
            return ir.SetExpr((expr,))
        case "Pair" | "Lex", ir.TupleExpr((first, second)):
            one, two = core.args
            return ir.TupleExpr((_lifted(first, one), _lifted(second, two)))
        case "MapUnion", ir.MapExpr(items):
            return ir.MapExpr(tuple((key, _lifted(value, core.args[1])) for key, value in items))
    return expr


def _only_one(
    known: tuple[ir.FunctionDecl | ir.LatticeDecl, Any],
    decl: ir.FunctionDecl | ir.LatticeDecl,
    python: Any,
    span: ir.Span,
) -> None:
    """One name, one function or lattice: the IR knows them by name."""
    if known[1] is not python:
        what = "functions" if isinstance(decl, ir.FunctionDecl) else "lattices"
        raise ProgramError(
            span,
            f"two {what} are called `{decl.name}`: {known[0].path} and {decl.path}",
            "rename one of them",
        )


def _check_bottom(decl: ir.LatticeDecl, cls: type[Any], values: Values) -> None:
    try:
        values.conform(decl.carrier)(cls.bottom)
    except Misfit as misfit:
        raise ProgramError(
            decl.span,
            f"the bottom of the lattice {decl.name} is not of its carrier: {misfit}",
            "choose another `bottom`, or another `carrier`",
        ) from None


def _row(
    collection: ir.Collection, row: object, values: Values, span: ir.Span
) -> tuple[object, ...]:
    wanted = len(collection.columns)
    names = ", ".join(column.name for column in collection.columns)
    if wanted == 1 and not (isinstance(row, tuple) and len(row) == 1):
        row = (row,)  # `nodes <= ["a", "b"]`
    if not isinstance(row, (tuple, list)):
        raise ProgramError(
            span,
            f"the fact {row!r} is not a row of `{collection.name}`",
            f"a row is a tuple: ({names})",
        )
    if len(row) != wanted:
        raise ProgramError(
            span,
            f"the fact {tuple(row)!r} has {counted(len(row), 'column')}, and "
            f"`{collection.name}` has {wanted}",
            f"a row is a tuple: ({names})",
        )
    found = []
    for column, value in zip(collection.columns, row, strict=True):
        try:
            found.append(values.lift(value, column.type))
        except Misfit as misfit:
            raise ProgramError(
                span,
                f"the fact {tuple(row)!r} does not fit the column `{column.name}` of "
                f"`{collection.name}`: {misfit}",
                "change the value, or the column's type",
            ) from None
    return tuple(found)


def _foreign(span: ir.Span, used: Collection, cls: type[Any]) -> ProgramError:
    """A collection of a class that this one neither inherits nor uses."""
    if used._root is None:
        return ProgramError(
            span,
            f"`{used.name}` belongs to no Program",
            "assign it in the body of a Program class",
        )
    owner = used._root.name
    return ProgramError(
        span,
        f"`{used.name}` belongs to {owner}, which {cls.__name__} neither inherits nor uses",
        f"inherit it (`class {cls.__name__}({owner})`) and name it `{owner}.{used.name}`, or embed "
        f"it (`inner = use({owner})`) and name it `inner.{used.name}`",
    )


def scope_of(cls: type[Any]) -> Scope:
    """The class body that made this very class."""
    found = vars(cls)["_bloomish_scope"]
    assert isinstance(found, Scope)
    return found


def elaborate(cls: type[Any]) -> Compiled:
    """The whole program of a class."""
    return _Builder(cls).build()


def compiled(cls: type[Any]) -> Compiled:
    """What the metaclass made of the class when it was created."""
    found = vars(cls)["_bloomish_compiled"]
    assert isinstance(found, Compiled)
    return found


def inherited(bases: tuple[type, ...]) -> Mapping[str, str]:
    """The collections and embeddings of base classes, and the class that declares each."""
    found: dict[str, str] = {}
    for base in bases:
        for cls in base.__mro__:
            if "_bloomish_scope" in vars(cls):
                for declared in scope_of(cls).statements.declared:
                    name = declared._name if isinstance(declared, Embedding) else declared.name
                    found.setdefault(name, cls.__name__)
    return found
