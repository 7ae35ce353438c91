"""Collections: what a program declares, and `use`, which embeds another program.

A `Collection` knows its columns and, once it was assigned in a class body, its
name.  Through an embedding the same declaration is seen under a path
(`inner.put`); equality of references is equality of (declaration, path).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from bloomish import columns as columns_
from bloomish import ir, scope
from bloomish.errors import ProgramError, counted
from bloomish.source import comment_at, fail, span_at, user_frame
from bloomish.terms import Atom, Body, Rule, Term, lift, operator, sorted_rows
from bloomish.values import type_text

if TYPE_CHECKING:
    from bloomish.program import Program
    from bloomish.terms import Use

P = TypeVar("P", bound="type[Program]")


class Collection:
    """A declared collection; called with columns it is a literal or a rule's head."""

    __slots__ = ("_data", "_declared", "_lattices", "_path", "_root")

    def __init__(
        self,
        data: ir.Collection,
        declared: Collection | None = None,
        path: tuple[str, ...] = (),
        root: scope.Scope | None = None,
        lattices: frozenset[type[Any]] = frozenset(),
    ) -> None:
        self._data = data
        self._declared = self if declared is None else declared
        self._path = path
        self._root = root  # the class body in which the first name of the path stands
        self._lattices = lattices

    @property
    def name(self) -> str:
        """As rules name it in the IR: the `use` path and the attribute's name."""
        return ".".join((*self._path, self._declared._data.name or "?"))

    @property
    def kind(self) -> ir.Kind:
        return self._data.kind

    @property
    def columns(self) -> tuple[ir.Column, ...]:
        return self._data.columns

    def __repr__(self) -> str:
        inside = ", ".join(
            f"{c.name}={'Key(' if c.key else ''}{type_text(c.type)}{')' if c.key else ''}"
            for c in self.columns
        )
        return f"{self.name} = {self.kind}({inside})"

    def __call__(self, *args: Any, **kwargs: Any) -> Atom:
        names = [column.name for column in self.columns]
        self._needs_name()
        if len(args) > len(names) or (len(args) < len(names) and not kwargs):
            fail(
                f"`{self.name}` has {counted(len(names), 'column')} and is given {len(args)}",
                f"write `{self.name}({', '.join(names)})`, or name columns by keyword and leave "
                "the others free",
            )
        given: dict[str, Any] = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name not in names:
                fail(
                    f"`{self.name}` has no column `{name}`",
                    f"its columns are {', '.join(f'`{known}`' for known in names)}",
                )
            if name in given:
                fail(
                    f"the column `{name}` of `{self.name}` is given twice",
                    "once by position and once by keyword: drop one of them",
                )
            given[name] = value
        terms = [lift(given[name]) if name in given else None for name in names]
        uses: frozenset[Use] = frozenset()
        exprs: list[ir.HeadArg] = []
        for term in terms:
            if term is None:
                exprs.append(ir.Wild())
            else:
                uses |= term._uses
                exprs.append(getattr(term, "_aggregate", None) or term._expr)
        omitted = tuple(name for name in names if name not in given)
        return Atom(self, tuple(exprs), uses, omitted)

    # facts and whole-collection rules

    def __le__(self, given: Any) -> Rule:
        return self._state("<=", given)

    def __lt__(self, given: Any) -> Rule:
        return self._state("<", given)

    def __ge__(self, other: Any) -> NoReturn:
        self._turned(">=", other)

    def __gt__(self, other: Any) -> NoReturn:
        self._turned(">", other)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        if self is not other and isinstance(other, (list, tuple, set, frozenset, Collection, Body)):
            self._equated("==")
        return self is other

    def __iadd__(self, other: Any) -> NoReturn:  # type: ignore[misc]
        self._equated("+=")

    def _equated(self, op: str) -> NoReturn:
        fail(
            f"`{op}` after the collection `{self.name}`",
            f"facts and rules go by `{self.name} <= ...`",
        )

    def _turned(self, op: str, other: Any) -> NoReturn:
        if not isinstance(other, (Collection, MarkedCollection, Body)):
            self.not_a_value()
        fail(f"`{op}` after a collection", "rules point to the left: `path <= link`")

    if not TYPE_CHECKING:  # so that editors go on to mark what is not there

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_") or scope.current() is None:
                raise AttributeError(f"{self.kind} {self.name!r} has no attribute {name!r}")
            if name in [column.name for column in self.columns]:
                fail(
                    f"`{self.name}.{name}`: a column is not an attribute",
                    f"name it by a variable in the body: `{self.name}({name}=x)`",
                )
            fail(
                f"a collection has no attribute `{name}`",
                f"rules derive its rows (`{self.name}(...) <= ...`), hosts insert into inputs",
            )

    def not_a_value(self, *other: Any) -> NoReturn:
        """A collection in an expression."""
        names = ", ".join(column.name for column in self.columns)
        fail(
            f"the collection `{self.name}` stands where a value is wanted",
            f"how many nodes: `size({self.name})`; each of them: `{self.name}(x)` in the body"
            if self.kind == "roster"
            else f"name a column by a variable in the body: `{self.name}({names})`",
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = not_a_value
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = not_a_value

    def __bool__(self) -> bool:
        fail(
            f"the collection `{self.name}` has no truth value while the program is being built",
            "join literals by `&`; the absence of rows is `notin(...)`",
        )

    def __pos__(self) -> MarkedCollection:
        return MarkedCollection(self, "+")

    def __neg__(self) -> MarkedCollection:
        return MarkedCollection(self, "-")

    def __invert__(self) -> MarkedCollection:
        return MarkedCollection(self, "~")

    def __and__(self, other: Any) -> NoReturn:
        names = ", ".join(column.name for column in self.columns)
        fail(
            f"the collection `{self.name}` stands in a body without its columns",
            f"write `{self.name}({names})`",
        )

    __rand__ = __and__

    def __iter__(self) -> NoReturn:
        fail(f"the collection `{self.name}` cannot be iterated", "state a rule over its rows")

    def __len__(self) -> int:
        fail(
            f"`len({self.name})`",
            f"`size({self.name})` of a roster; else `n(count()) <= {self.name}(...)`",
        )

    def facts_at(self, tick: int) -> FactsAt:
        """For `at(3, link) <= [...]`."""
        return FactsAt(self, tick)

    def _needs_name(self) -> None:
        if self._declared._root is None:
            if scope.current() is None:
                fail(
                    f"a {self.kind} outside the body of a Program class",
                    "declare it, and state rules over it, inside `class Name(Program):`",
                )
            fail(
                f"a {self.kind} that has no name yet",
                "assign it in the body of a Program class, and use it there: "
                f"`name = {self.kind}(...)`",
            )

    def _state(self, op: str, given: Any) -> Rule:
        self._needs_name()
        if isinstance(given, MarkedCollection):
            return self._whole(operator(op, given.mark), given.collection)
        if isinstance(given, Collection):
            return self._whole(operator(op, ""), given)
        if isinstance(given, Body):
            names = ", ".join(column.name for column in self.columns)
            fail(
                f"the head `{self.name}` names no columns, and the body does",
                f"write `{self.name}({names}) {op} ...`, or a whole collection on both sides",
            )
        if isinstance(given, (Term, str, bytes, int, float)) or not isinstance(given, Iterable):
            fail(
                f"`{given!r}` is neither rows nor a collection",
                f'facts are a list of rows: `{self.name} <= [("a", "b")]`',
            )
        operator(op, "")
        if isinstance(given, dict):
            fail("facts are a list of rows, not a dict", f"write `{self.name} <= [...]`")
        return self._facts(given)

    def _facts(self, rows: Iterable[Any], at: int | None = None) -> Rule:
        listed = list(sorted_rows(rows)) if isinstance(rows, (set, frozenset)) else list(rows)
        span = span_at(user_frame())
        for row in listed:
            for cell in row if isinstance(row, tuple) else (row,):
                if isinstance(cell, Term):
                    raise ProgramError(
                        span,
                        f"the fact {row!r} holds the term `{cell!r}`",
                        "facts are constants; write a rule, whose body binds its variables",
                    )
        here = scope.current()
        if here is None:
            raise ProgramError(
                span,
                "facts outside the body of a Program class",
                "state them inside `class Name(Program):`",
            )
        here.statements.facts.append(scope.Given(self, tuple(listed), at, span))
        return Rule()

    def _whole(self, op: ir.Operator, source: Collection) -> Rule:
        """`path <= link`: every row, column by column."""
        source._needs_name()
        mine, theirs = len(self.columns), len(source.columns)
        span = span_at(user_frame())
        if mine != theirs:
            raise ProgramError(
                span,
                f"`{self.name}` has {counted(mine, 'column')} and `{source.name}` has {theirs}",
                "name the columns: "
                f"`{self.name}(...) {op} {source.name}"
                f"({', '.join(column.name for column in source.columns)})`",
            )
        here = scope.current()
        if here is None:
            raise ProgramError(
                span,
                "a rule outside the body of a Program class",
                "state it inside `class Name(Program):`",
            )
        args = tuple(ir.Var(column.name) for column in self.columns)
        body = ir.Atom(source.name, args, span=span)
        here.statements.rules.append(
            scope.Stated(self, args, op, (body,), frozenset({self, source}), span)
        )
        return Rule()


class MarkedCollection:
    """`+link`, `-link`, `~link`: the right side of a whole-collection rule."""

    __slots__ = ("collection", "mark")

    def __init__(self, collection: Collection, mark: str) -> None:
        self.collection = collection
        self.mark = mark

    def __pos__(self) -> MarkedCollection:
        if self.mark != "-":
            fail("two marks on one collection", "the operators are <=, <+, <-, <+- and <~")
        return MarkedCollection(self.collection, "+-")

    def __and__(self, other: Any) -> NoReturn:
        self.collection.__and__(other)


class FactsAt:
    """`at(3, link)`: facts that hold at one tick only, as in Dedalus."""

    __slots__ = ("_collection", "_tick")

    def __init__(self, collection: Collection, tick: int) -> None:
        self._collection = collection
        self._tick = tick

    def __le__(self, rows: Any) -> Rule:
        self._collection._needs_name()
        return self._collection._facts(rows, self._tick)


class Embedding:
    """`inner = use(Other)`: another program's collections, as `inner.put`."""

    __slots__ = ("_name", "_outer", "_program", "_root", "_span")

    def __init__(
        self,
        program: type[Program],
        span: ir.Span,
        name: str = "",
        outer: Embedding | None = None,
        root: scope.Scope | None = None,
    ) -> None:
        self._program = program
        self._span = span
        self._name = name
        self._outer = outer
        self._root = root

    @property
    def _path(self) -> tuple[str, ...]:
        return (*(self._outer._path if self._outer is not None else ()), self._name)

    def __repr__(self) -> str:
        return f"{self._name or '?'} = use({self._program.__name__})"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if not self._name:
            fail("an embedding that has no name yet", "assign it first: `inner = use(Other)`")
        found = next((vars(c)[name] for c in self._program.__mro__ if name in vars(c)), None)
        if isinstance(found, Collection):
            path = (*self._path, *found._path)
            return Collection(found._data, found._declared, path, self._root, found._lattices)
        if isinstance(found, Embedding):
            return Embedding(found._program, found._span, found._name, self, self._root)
        known = ", ".join(f"`{c}`" for c in names_of(self._program)) or "none"
        fail(
            f"`{self._program.__name__}`, used as `{self._name}`, has no collection `{name}`",
            f"it has {known}",
        )

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        fail(f"`{self._name}` is an embedded program", f"name its collection: `{self._name}.put`")


def names_of(program: type[Any]) -> list[str]:
    """The collections and embeddings of a Program class, inherited ones too."""
    found: dict[str, None] = {}
    for cls in reversed(program.__mro__):
        for name, value in vars(cls).items():
            if isinstance(value, (Collection, Embedding)):
                found[name] = None
    return list(found)


def use(program: P) -> P:
    """Embed another program under a name: `inner = use(Other)`, then `inner.put`."""
    if not hasattr(program, "_bloomish_scope"):
        fail(
            f"`use({getattr(program, '__name__', program)!s})`: not a Program class",
            "embed a class that inherits Program",
        )
    return cast(P, Embedding(program, span_at(user_frame())))


def named(name: str, collection: Collection, wire: str = "") -> Collection:
    """`log_async = named("log@async", channel(...))`: a collection whose name in the IR, or on
    the wire, is not what Python would give it.  Printed programs of other notations need it."""
    collection._data = replace(collection._data, name=name, wire=wire)
    return collection


# ---------------------------------------------------------------- declarations


def _declare(kind: ir.Kind, columns: dict[str, Any], **options: Any) -> Collection:
    frame = user_frame()
    declared = columns_.columns(columns)
    span = span_at(frame)
    lattices = frozenset(
        found for written in columns.values() for found in columns_.lattice_classes(written)
    )
    data = ir.Collection("", kind, declared, doc=comment_at(frame), span=span, **options)
    return Collection(data, lattices=lattices)


def _named(kind: str, args: tuple[Any, ...]) -> None:
    if args:
        fail(
            f"`{kind}` takes its columns by keyword",
            f"name them and their types: `{kind}(key=Key(str), value=int)`",
        )


def table(*args: Any, durable: Any = False, **columns: Any) -> Collection:
    """Rows that stay until a rule deletes them; `durable=True`: also when the node dies."""
    _named("table", args)
    if not isinstance(durable, bool):  # a column of that name
        columns, durable = {**columns, "durable": durable}, False
    return _declare("table", columns, durable=durable)


def _not_durable(kind: str, columns: dict[str, Any]) -> None:
    if isinstance(columns.get("durable"), bool):
        fail(f"a {kind} cannot be durable", "only a table outlives the tick")


def scratch(*args: Any, **columns: Any) -> Collection:
    """A view: what its rules derive at this tick."""
    _named("scratch", args)
    _not_durable("scratch", columns)
    return _declare("scratch", columns)


def channel(*args: Any, **columns: Any) -> Collection:
    """Messages: a row goes to the node that its first column, an Address, names."""
    _named("channel", args)
    _not_durable("channel", columns)
    first = next(iter(columns.items()), None)
    if first is not None:
        name, written = first
        inside = written.type if isinstance(written, columns_.Key) else written
        if inside is not columns_.Address and inside != ir.Plain("Address"):
            fail(
                f"the first column of a channel is the receiver, and `{name}` is no Address",
                f"write `channel(to=Address, {name}=...)`",
            )
    return _declare("channel", columns)


def input(*args: Any, **columns: Any) -> Collection:
    """What a host inserts; there for one tick."""
    _named("input", args)
    _not_durable("input", columns)
    return _declare("input", columns)


def output(*args: Any, **columns: Any) -> Collection:
    """What hosts read: events, or a view with what was added and removed."""
    _named("output", args)
    _not_durable("output", columns)
    return _declare("output", columns)


def const(*args: Any, **columns: Any) -> Collection:
    """Facts that never change."""
    _named("const", args)
    _not_durable("const", columns)
    return _declare("const", columns)


def invariant(*args: Any, **columns: Any) -> Collection:
    """What must never happen: every row is a violation."""
    _named("invariant", args)
    _not_durable("invariant", columns)
    return _declare("invariant", columns)


def eventually(*args: Any, **columns: Any) -> Collection:
    """What must have happened: empty at the end of a run is a violation."""
    _named("eventually", args)
    _not_durable("eventually", columns)
    return _declare("eventually", columns)


def periodic(seconds: Any = None, **columns: Any) -> Collection:
    """One row, its firing number, every so many seconds."""
    if columns:
        fail("`periodic` has one column, its firing number", "write `periodic(0.5)`")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < 1e9:
        fail(f"`periodic({seconds!r})`: not an interval", "write its seconds: `periodic(0.5)`")
    return _declare("periodic", {"number": int}, period=float(seconds))


def roster(role: Any = None, **columns: Any) -> Collection:
    """The addresses of the nodes that run a role; fixed when the cluster starts."""
    if columns or not isinstance(role, str) or not role.isidentifier():
        fail(f"`roster({role!r})`: not a role's name", 'write `roster("server")`')
    return _declare("roster", {"address": columns_.Address}, role=role)
