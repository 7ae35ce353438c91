"""A program as plain data: frozen dataclasses, no behaviour.

Every notation (Python classes, Dedalus, SQL, pyDatalog) is read into these
types; every later stage (analysis, plan, evaluators, pictures) reads nothing
else.  The shapes follow Dedalus (Alvaro et al., 2010): a rule derives head
rows from a conjunction of literals, and its operator says when and where.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal as OneOf

# --------------------------------------------------------------------- places


@dataclass(frozen=True, slots=True)
class Span:
    """Where a thing is written: lines and columns count from 1; 0 is unknown."""

    file: str = ""
    line: int = 0
    column: int = 0
    text: str = ""


# ---------------------------------------------------------------------- types

PlainName = OneOf["int", "float", "str", "bytes", "bool", "Address", "Any"]


@dataclass(frozen=True, slots=True)
class Plain:
    """A plain column type.  `int` has 64 bits; an `Address` is a node's name."""

    name: PlainName


@dataclass(frozen=True, slots=True)
class TupleOf:
    """A tuple with one type per place."""

    items: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class Lattice:
    """A lattice type: a shipped one by its name, or a user's by `declared` name.

    `args` are the parameters: element, key or value types, which may be
    lattices themselves.
    """

    name: str
    args: tuple[Type, ...] = ()


Type = Plain | TupleOf | Lattice

# ---------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Var:
    """A rule's variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Wild:
    """`_`: any value; each occurrence is a variable of its own."""


@dataclass(frozen=True, slots=True)
class Const:
    """A value: int, float, str, bytes, bool, or a tuple or frozenset of values."""

    value: object


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x`, or `not x` on a condition."""

    op: OneOf["-", "not"]
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic, a comparison, or a connective of conditions.

    `/` is true division, `//` floors, `div` truncates towards zero on ints
    (Dedalus).  `+` also joins two str, bytes or tuples.  `|` merges two
    lattice values of one type.
    """

    op: OneOf[
        "+", "-", "*", "/", "//", "div", "%", "|",
        "==", "!=", "<", "<=", ">", ">=",
        "and", "or",
    ]  # fmt: skip
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Call:
    """A user's `@function`, by its name in `Program.functions`."""

    function: str
    args: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Method:
    """A lattice's method on a lattice value, as in `voters.contains(x)`."""

    name: str
    receiver: Expr
    args: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Size:
    """`size(x)` of a lattice value (an expression) or of a roster (its name)."""

    of: Expr | str


@dataclass(frozen=True, slots=True)
class Here:
    """The address of the node that evaluates the rule."""


@dataclass(frozen=True, slots=True)
class Now:
    """The tick's frozen clock, in seconds since the epoch (float)."""


@dataclass(frozen=True, slots=True)
class TickNumber:
    """The number of the tick, from 1; the logical clock of Dedalus."""


@dataclass(frozen=True, slots=True)
class Random:
    """A float in [0, 1) keyed by seed, node, tick, rule and the body's row."""


@dataclass(frozen=True, slots=True)
class TupleExpr:
    """A tuple of values."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class SetExpr:
    """`{x}`: a set value, for a SetUnion column."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class MapExpr:
    """`{k: v}`: a map value, for a MapUnion column."""

    items: tuple[tuple[Expr, Expr], ...]


@dataclass(frozen=True, slots=True)
class Field:
    """`field(command, 1, int)`: a place of a tuple, counted from 0, read as a type.

    What is no tuple, is too short or has something else there fails the tick.
    """

    of: Expr
    place: int
    type: Type


AggregateName = OneOf[
    "count", "sum", "min", "max", "avg", "argmax", "argmin", "collect", "choose", "index"
]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregate in a head; the other head columns are its group.

    It ranges over the distinct matches of the body (one per combination of
    body rows, `_` columns included).  `count()` counts these, `count(x)` the
    distinct values of x.  `argmax(v, by=n)` takes v of the match whose n is
    greatest, ties by the greatest v.  `choose(v)` takes one v by a seeded
    priority.  `index(v)` is not grouped: the rank of v, from 0, in value order
    among the distinct v of the same other columns (those that v is not, nor is
    made of); every row is kept.
    `collect(v)` is the tuple of distinct v in value order.
    """

    name: AggregateName
    value: Expr | None = None
    by: Expr | None = None


Expr = (
    Var | Wild | Const | Unary | Binary | Call | Method | Size | Here | Now | TickNumber
    | Random | TupleExpr | SetExpr | MapExpr | Field
)  # fmt: skip
HeadArg = Expr | Aggregate

# ------------------------------------------------------------------- literals


@dataclass(frozen=True, slots=True)
class Atom:
    """`link(x, y)` or `notin(link(x, y))`; one argument per column.

    An argument that is neither a variable, `_` nor a constant is tested for
    equality once its variables are bound.  In a negated atom, variables that
    nothing else binds are refused by the language (Dedalus reads them as `_`).
    `at` is Dedalus's absolute time, a tick number.
    """

    collection: str
    args: tuple[Expr, ...]
    negated: bool = False
    at: int | None = None
    span: Span = field(default_factory=Span, compare=False)


@dataclass(frozen=True, slots=True)
class Condition:
    """A boolean expression.  `Var == expr` binds the variable where it is free."""

    test: Expr
    span: Span = field(default_factory=Span, compare=False)


@dataclass(frozen=True, slots=True)
class Each:
    """`each(x, values)`: binds (or tests) `items` against every element of a
    SetUnion value (one item), of a MapUnion value (key and value), or of a
    tuple (one item)."""

    items: tuple[Expr, ...]
    source: Expr
    span: Span = field(default_factory=Span, compare=False)


Literal = Atom | Condition | Each

# ---------------------------------------------------------- rules and programs

Operator = OneOf["<=", "<+", "<-", "<+-", "<~"]


@dataclass(frozen=True, slots=True)
class Rule:
    """`head op body`.

    `name` is unique in the program and stable (`elected_1`).  `origin` says
    which pass or notation made a rule that the user did not write.
    """

    name: str
    head: str
    args: tuple[HeadArg, ...]
    op: Operator
    body: tuple[Literal, ...]
    origin: str = ""
    span: Span = field(default_factory=Span, compare=False)


@dataclass(frozen=True, slots=True)
class Facts:
    """Rows given by the program.

    `at` None: held from a node's first tick (a durable table: its first
    ever; a const: always).  A number: Dedalus's `@N`, held at that tick only.
    """

    collection: str
    rows: tuple[tuple[object, ...], ...]
    at: int | None = None
    span: Span = field(default_factory=Span, compare=False)


Kind = OneOf[
    "table", "scratch", "channel", "periodic", "input", "output", "const", "roster",
    "invariant", "eventually",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column.  Key columns come first; no key column at all: a set of rows."""

    name: str
    type: Type
    key: bool = False


@dataclass(frozen=True, slots=True)
class Collection:
    """A declared collection.

    `name` is unique in the program: the attribute's name, or the `use` path
    (`inner.put`).  `wire` is a channel's name between nodes (`use` path,
    declaring class, name).  `period` is a periodic's interval in seconds; a
    periodic's one column is its firing number (int, from 1).  `role` is a
    roster's role; a roster's one column is the Address.
    An `invariant` is an output whose every row is a violation; an
    `eventually` must be non-empty at the end of a run.
    """

    name: str
    kind: Kind
    columns: tuple[Column, ...]
    durable: bool = False
    wire: str = ""
    period: float = 0.0
    role: str = ""
    doc: str = ""
    span: Span = field(default_factory=Span, compare=False)


MethodClass = OneOf["morphism", "monotone", "plain"]


@dataclass(frozen=True, slots=True)
class LatticeDecl:
    """A user's lattice: where its class is, what carries it, its methods' marks."""

    name: str
    path: str  # "module:Qualified.name", for people; the class itself is in Externals
    carrier: Type
    methods: tuple[tuple[str, MethodClass], ...] = ()
    results: tuple[tuple[str, Type], ...] = ()
    span: Span = field(default_factory=Span, compare=False)


@dataclass(frozen=True, slots=True)
class FunctionDecl:
    """A user's `@function`: pure and deterministic; monotone only if marked."""

    name: str
    path: str
    params: tuple[Type, ...]
    result: Type
    monotone: bool = False
    span: Span = field(default_factory=Span, compare=False)


@dataclass(frozen=True, slots=True)
class Guard:
    """A declared boundary: the points of order of the collections under `scope`
    (a `use` path, or "" for the whole program) are guarded by `by`, such as
    "ballot order", "stable storage", "unanimous vote", "total order"."""

    scope: str
    by: tuple[str, ...]
    ordered: tuple[str, ...] = ()  # collections that are a decided log (mode Seq)
    sealed: tuple[tuple[str, str], ...] = ()
    """`(rows, complete)`: of `rows` all that ever come are there where `complete` has a row
    with the same values in the columns that both have."""
    span: Span = field(default_factory=Span, compare=False)


@dataclass(frozen=True, slots=True)
class Assume:
    """What the user vouches for, to be cross-validated by exploration (R13).

    kind "fd": columns `key` determine columns `value` of `collection` at its
    source; "sealed": complete per `key`; "injective": key -> value is one-to-one;
    "ends": a row of the input says that the node's host has no more for that `key`.
    """

    kind: OneOf["fd", "sealed", "injective", "ends"]
    collection: str
    key: tuple[str, ...]
    value: tuple[str, ...] = ()
    span: Span = field(default_factory=Span, compare=False)


@dataclass(frozen=True, slots=True)
class Program:
    """One role's whole program, inheritance and `use` resolved."""

    name: str
    collections: tuple[Collection, ...]
    rules: tuple[Rule, ...]
    facts: tuple[Facts, ...] = ()
    lattices: tuple[LatticeDecl, ...] = ()
    functions: tuple[FunctionDecl, ...] = ()
    guards: tuple[Guard, ...] = ()
    assumptions: tuple[Assume, ...] = ()
    notation: OneOf["python", "dedalus", "sql", "pydatalog"] = "python"
    doc: str = ""
    span: Span = field(default_factory=Span, compare=False)


@dataclass(frozen=True, slots=True)
class Role:
    """`size` nodes named `name-0`, `name-1`, ... run `program`."""

    name: str
    program: Program
    size: int = 1


@dataclass(frozen=True, slots=True)
class Deployment:
    """Who runs what: the data of a `Cluster`."""

    name: str
    roles: tuple[Role, ...]
