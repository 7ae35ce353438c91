"""Variables, expressions, literals and aggregates: all the operator overloading.

A term holds the `ir` expression that it means; a body holds literals.  What
Python's grammar makes of a rule is decided here: `a <~ b & c` is
`a < ((~b) & c)`, so a mark sits on the first literal and `&` carries it.
"""

from __future__ import annotations

import ast
import keyword
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from bloomish import ir, scope
from bloomish.errors import ProgramError
from bloomish.order import order_key
from bloomish.pretty import expr_text
from bloomish.source import enclosing, fail, place, span_at, statement_at, user_frame

if TYPE_CHECKING:
    from bloomish.collections import Collection
    from bloomish.functions import Function

    Use: TypeAlias = Collection | Function | "Lattices"

INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1
NOTHING: frozenset[Any] = frozenset()

# ------------------------------------------------------------------ expressions


class Term:
    """An expression over a rule's variables."""

    __slots__ = ("_expr", "_uses")

    def __init__(self, expr: ir.Expr, uses: frozenset[Use] = NOTHING) -> None:
        self._expr = expr
        self._uses = uses

    def __repr__(self) -> str:
        return expr_text(self._expr)

    def __str__(self) -> str:
        return self._text("str()")

    def __format__(self, spec: str) -> str:
        return self._text("an f-string")

    def _text(self, by: str) -> str:
        # In a rule this would silently make a constant of the variable's name.
        if scope.current() is not None and not by.startswith("repr"):
            fail(
                f"{by} of `{expr_text(self._expr)}`: its value is not known while the program "
                "is being built",
                "join text with `+`, or convert in a function marked @function",
            )
        return repr(self)

    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> MethodRef:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return MethodRef(self, name)

    # arithmetic

    def __add__(self, other: Any) -> Term:
        return _binary("+", self, other)

    def __radd__(self, other: Any) -> Term:
        return _binary("+", other, self)

    def __sub__(self, other: Any) -> Term:
        return _binary("-", self, other)

    def __rsub__(self, other: Any) -> Term:
        return _binary("-", other, self)

    def __mul__(self, other: Any) -> Term:
        return _binary("*", self, other)

    def __rmul__(self, other: Any) -> Term:
        return _binary("*", other, self)

    def __truediv__(self, other: Any) -> Term:
        return _binary("/", self, other)

    def __rtruediv__(self, other: Any) -> Term:
        return _binary("/", other, self)

    def __floordiv__(self, other: Any) -> Term:
        return _binary("//", self, other)

    def __rfloordiv__(self, other: Any) -> Term:
        return _binary("//", other, self)

    def __mod__(self, other: Any) -> Term:
        return _binary("%", self, other)

    def __rmod__(self, other: Any) -> Term:
        return _binary("%", other, self)

    def __neg__(self) -> Term:
        operand = _operand(self, "`-`")
        return Expression(ir.Unary("-", operand._expr), operand._uses)

    # lattices and conditions

    def __or__(self, other: Any) -> Term:
        if isinstance(other, (Condition, Body)) or isinstance(self, Condition):
            return either(self, other)
        return _binary("|", self, other)

    def __ror__(self, other: Any) -> Term:
        return _binary("|", other, self)

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return _compare("==", self, other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return _compare("!=", self, other)

    def __lt__(self, other: Any) -> Condition:
        return _compare("<", self, other)

    def __le__(self, other: Any) -> Condition:
        return _compare("<=", self, other)

    def __gt__(self, other: Any) -> Condition:
        return _compare(">", self, other)

    def __ge__(self, other: Any) -> Condition:
        return _compare(">=", self, other)

    def __and__(self, other: Any) -> Body:
        return as_body(self).__and__(other)

    def __rand__(self, other: Any) -> Body:
        return as_body(other).__and__(self)

    def __pos__(self) -> NoReturn:
        self._marked("+")

    def __invert__(self) -> NoReturn:
        self._marked("~")

    def _marked(self, mark: str) -> NoReturn:
        if isinstance(self, Condition) or isinstance(self._expr, (ir.Method, ir.Call, ir.Field)):
            mend = f"put a literal first: `head <{mark} literal & ({self!r})`"
            if mark == "~":
                mend += f"; the opposite of a condition is `not_({self!r})`"
        else:
            mend = f"write the mark before the body's first literal: `head <{mark} literal(...)`"
        fail(f"the mark `{mark}` stands on `{self!r}`, which is not a literal", mend)

    # what Python offers and a rule cannot mean

    def __bool__(self) -> bool:
        no_truth_value(repr(self))

    def __iter__(self) -> Iterator[Any]:
        if type(self) is Var and scope.current() is None:
            return iter((self,))  # `(x,) = variables("x")`
        fail(
            f"`{self!r}` cannot be iterated while the program is being built",
            "in a body, `each(x, values)` ranges over the elements of a set or map; "
            "the aggregates are `sum_`, `min_`, `max_`, `count`",
        )

    def __len__(self) -> int:
        fail("`len` of a term", f"write `size({self!r})`")

    def __contains__(self, item: object) -> bool:
        fail("`in` on a term", f"write `{self!r}.contains(x)`, or `each(x, {self!r})`")

    def __getitem__(self, item: Any) -> NoReturn:
        fail(
            f"`{self!r}[...]`: a term cannot be indexed",
            f"a MapUnion has `{self!r}.at(key)`; a place of a tuple is `field({self!r}, 0, int)`",
        )

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        if isinstance(self._expr, ir.Here):
            fail("`here` is called", "it is a value: write `here`")
        inside = scope.current()
        owner = getattr(inside, "inherited", {}).get(repr(self))
        if owner is not None:
            fail(
                f"`{self!r}` is a variable here, and the collection of that name is {owner}'s",
                f"write `{owner}.{self!r}(...)`",
            )
        fail(f"`{self!r}(...)`: `{self!r}` is not a collection", "declare the collection first")

    def __pow__(self, other: Any) -> NoReturn:
        self._no_such("**")

    __rpow__ = __pow__

    def __matmul__(self, other: Any) -> NoReturn:
        self._no_such("@")

    def __lshift__(self, other: Any) -> NoReturn:
        self._no_such("<<")

    def __rshift__(self, other: Any) -> NoReturn:
        self._no_such(">>")

    def __xor__(self, other: Any) -> NoReturn:
        self._no_such("^")

    def __abs__(self) -> NoReturn:
        self._no_such("abs")

    def __round__(self, digits: Any = None) -> NoReturn:
        self._no_such("round")

    def __int__(self) -> int:
        self._no_such("int")

    def __float__(self) -> float:
        self._no_such("float")

    def __index__(self) -> int:
        self._no_such("an index")

    def _no_such(self, operation: str) -> NoReturn:
        fail(
            f"rules have no `{operation}` (of `{self!r}`)",
            "compute it in a Python function marked @function",
        )


class Expression(Term):
    """What operators, functions and constants give.

    Not `Term` itself: Python turns `term == var` round where the right side's
    class is the narrower, and rules are kept as they are written.
    """

    __slots__ = ()


class Var(Term):
    """A rule's variable."""

    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(ir.Var(name))


class Wild(Term):
    """`_`: any value."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(ir.Wild())


class Condition(Term):
    """A comparison, or a connective of conditions."""

    __slots__ = ()


class MethodRef(Term):
    """`voters.contains`, before it is called."""

    __slots__ = ("_name", "_receiver")

    def __init__(self, receiver: Term, name: str) -> None:
        super().__init__(ir.Method(name, receiver._expr), receiver._uses)
        self._receiver = receiver
        self._name = name

    def __repr__(self) -> str:
        return f"{self._receiver!r}.{self._name}"

    def __call__(self, *args: Any, **kwargs: Any) -> Term:  # type: ignore[override]
        if kwargs:
            fail(f"`{self!r}` takes its arguments by position", f"write `{self!r}(x)`")
        receiver = _operand(self._receiver, f"`.{self._name}()`")
        terms = [_operand(arg, f"`{self!r}()`") for arg in args]
        return Expression(
            ir.Method(self._name, receiver._expr, tuple(t._expr for t in terms)),
            receiver._uses.union(*(t._uses for t in terms)),
        )


class Aggregate(Term):
    """`count()`, `max_(x)`, ...: stands alone in a column of a head."""

    __slots__ = ("_aggregate",)

    def __init__(self, aggregate: ir.Aggregate, uses: frozenset[Use]) -> None:
        super().__init__(ir.Wild(), uses)
        self._aggregate = aggregate

    def __repr__(self) -> str:
        return expr_text(self._aggregate)


def lift(value: Any) -> Term:
    """A Python value as a term; refuses what cannot be a value of the language."""
    if isinstance(value, MethodRef):
        fail(f"`{value!r}` is a method, not called", f"write `{value!r}(...)`")
    if isinstance(value, Term):
        return value
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return Expression(ir.Const(_scalar(value)))
    if isinstance(value, Variables):
        names = ", ".join(map(repr, value))
        fail(
            f"`({names})` are several variables in one name",
            f'name each of them: `{names} = variables("{" ".join(map(repr, value))}")`',
        )
    if isinstance(value, tuple):
        return _gather(value, ir.TupleExpr, tuple)
    if isinstance(value, (set, frozenset)):
        return _set(value)
    if isinstance(value, dict):
        pairs = [(_operand(k, "a map"), _operand(v, "a map")) for k, v in value.items()]
        pairs.sort(key=lambda pair: expr_text(pair[0]._expr))
        return Expression(
            ir.MapExpr(tuple((k._expr, v._expr) for k, v in pairs)),
            NOTHING.union(*(t._uses for pair in pairs for t in pair)),
        )
    if isinstance(value, Body):
        fail(
            f"`{value!r}` is a literal, where a value is wanted",
            "name its columns by variables in the body, and use those",
        )
    if isinstance(value, list):
        fail(f"{value!r}: a list cannot be a value of a row", "use a tuple")
    if hasattr(value, "columns") and hasattr(value, "kind"):
        value.not_a_value()
    if callable(value):
        name = getattr(value, "__name__", repr(value))
        if getattr(value, "__module__", None) == __name__:
            fail(f"`{name}` is not called", f"write `{name}()`")
        if hasattr(value, "_decl"):
            fail(f"the function `{name}` is not called", f"write `{name}(x)`")
        if name == "<lambda>":
            fail(
                "a lambda is not a value",
                "write conditions in parentheses, `(x < y)`; other Python goes into a named "
                "function marked @function",
            )
        fail(f"`{name}` is a Python function, not a value", f"mark it @function, call `{name}(x)`")
    fail(
        f"{value!r} ({type(value).__name__}) is not a value of the language",
        "values are int, float, str, bytes, bool, and tuples and sets of these",
    )


def _scalar(value: Any) -> object:
    """The plain form of a constant (str subclasses and the like stripped)."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not INT_MIN <= value <= INT_MAX:
            fail(f"{int(value)} does not fit: an int has 64 bits", "use a str or bytes")
        return int(value)
    if isinstance(value, float):
        if value != value:
            fail("NaN is not a value", "leave the row out, or use a second collection for it")
        return float(value) + 0.0  # one zero
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            fail(f"{value!r} has no UTF-8 encoding", "use bytes for what is not text")
        return str.__str__(value)
    return bytes(value)


def _gather(
    values: tuple[Any, ...],
    make: Callable[[tuple[ir.Expr, ...]], ir.Expr],
    constant: Callable[[list[object]], object],
) -> Term:
    """Several values as one: a constant if all are."""
    terms = [_operand(value, "a tuple or set") for value in values]
    exprs = tuple(t._expr for t in terms)
    if all(isinstance(e, ir.Const) for e in exprs):
        return Expression(ir.Const(constant([e.value for e in exprs if isinstance(e, ir.Const)])))
    return Expression(make(exprs), NOTHING.union(*(t._uses for t in terms)))


def _set(values: set[Any] | frozenset[Any]) -> Term:
    # A Python set keeps no order of writing, and hashes differ from run to run.
    terms = [_operand(value, "a set") for value in values]
    terms.sort(key=lambda t: expr_text(t._expr))
    return _gather(tuple(terms), ir.SetExpr, frozenset)


def _operand(value: Any, of: str) -> Term:
    """A term that has a value: neither `_` nor an aggregate."""
    term = lift(value)
    if isinstance(term, Wild):
        fail(f"`_` in {of} has no value", "use a variable that the body binds")
    if isinstance(term, Aggregate):
        fail(
            f"`{term!r}` inside {of}: an aggregate stands alone in a column of the head",
            "aggregate into a scratch, and use its column in a second rule",
        )
    return term


def _binary(op: Any, left: Any, right: Any) -> Term:
    left, right = _operand(left, f"`{op}`"), _operand(right, f"`{op}`")
    return Expression(ir.Binary(op, left._expr, right._expr), left._uses | right._uses)


def _compare(op: Any, left: Any, right: Any) -> Condition:
    left, right = _operand(left, f"`{op}`"), _operand(right, f"`{op}`")
    return Condition(ir.Binary(op, left._expr, right._expr), left._uses | right._uses)


def _connect(op: Any, tests: Sequence[Term]) -> Condition:
    joined: Term = tests[0]
    for test in tests[1:]:
        joined = Condition(ir.Binary(op, joined._expr, test._expr), joined._uses | test._uses)
    return Condition(joined._expr, joined._uses)


def _test(value: Any, of: str) -> Term:
    """A condition, or several joined by `&`, as one term."""
    if isinstance(value, Body):
        literals = value._literals()
        if value._mark or not all(isinstance(literal, ir.Condition) for literal in literals):
            fail(
                f"`{of}` takes conditions, and `{value!r}` is a literal over a collection",
                "for a choice between literals write one rule for each; "
                "for their absence `notin(...)`",
            )
        value._take()
        tests = [
            Expression(lit.test, value._uses) for lit in literals if isinstance(lit, ir.Condition)
        ]
        return _connect("and", tests)
    return _operand(value, f"`{of}`")


def either(first: Any, second: Any, *more: Any) -> Condition:
    """One of these conditions holds: `either(x < y, x == 0)`, also `(x < y) | (x == 0)`."""
    return _connect("or", [_test(value, "either") for value in (first, second, *more)])


def not_(condition: Any) -> Condition:
    """The condition does not hold: `not_(voters.contains(x))`."""
    test = _test(condition, "not_")
    return Condition(ir.Unary("not", test._expr), test._uses)


def div(left: Any, right: Any) -> Term:
    """Division of ints that truncates towards zero, as in Dedalus (`//` floors)."""
    return _binary("div", left, right)


_ = Wild()
here = Expression(ir.Here())


def now() -> Term:
    """The tick's clock, frozen: seconds since the epoch, a float."""
    return Expression(ir.Now())


def tick_number() -> Term:
    """The number of the tick at this node, from 1."""
    return Expression(ir.TickNumber())


def random() -> Term:
    """A float in [0, 1) that seed, node, tick, rule and the body's rows determine."""
    return Expression(ir.Random())


def size(of: Any) -> Term:
    """How many elements a lattice value, or nodes a roster, has."""
    kind = getattr(of, "kind", None)
    if isinstance(kind, str) and not isinstance(of, Term):
        if kind != "roster":
            fail(
                f"`size({of.name})`: only rosters and lattice values have a size",
                f"count rows in a head: `n(count()) <= {of.name}(...)`",
            )
        return Expression(ir.Size(of.name), frozenset({of}))
    term = _operand(of, "`size()`")
    return Expression(ir.Size(term._expr), term._uses)


def field(value: Any, place: int, type: Any) -> Term:
    """A place of a tuple, counted from 0, read as a column type: `field(command, 1, int)`."""
    from bloomish.columns import column_type, lattice_classes

    term = _operand(value, "`field()`")
    shown = expr_text(term._expr)
    if isinstance(place, Term) or not isinstance(place, int) or isinstance(place, bool):
        fail(
            f"`field({shown}, {place!r}, ...)`: {place!r} is not a place known beforehand",
            f"write a number: `field({shown}, 0, int)`; `each(x, {shown})` ranges over all places",
        )
    if place < 0:
        fail(f"`field({shown}, {place}, ...)`: there is no place {place}", "places count from 0")
    expr = ir.Field(term._expr, int(place), column_type(type))
    lattices = lattice_classes(type)
    return Expression(expr, term._uses | ({Lattices(lattices)} if lattices else NOTHING))


class Lattices:
    """Users' lattices that an expression names."""

    __slots__ = ("classes",)

    def __init__(self, classes: frozenset[Any]) -> None:
        self.classes = classes


class Variables(tuple[Var, ...]):
    """What `variables` gives, to be unpacked; as a value in a rule it is a mistake."""

    __slots__ = ()


def variables(*names: str) -> Any:
    """`x, y = variables("x y")`; of a single name, the variable itself."""
    found: list[Var] = []
    for text in names:
        if not isinstance(text, str):
            fail(f"{text!r} is not a variable's name", 'write `x, y = variables("x y")`')
        for name in text.replace(",", " ").split():
            if not name.isidentifier() or keyword.iskeyword(name):
                fail(f"{name!r} cannot name a variable", "take a plain Python name")
            if name == "_":
                fail("`_` is the don't-care", "import it: `from bloomish import _`")
            found.append(Var(name))
    if not found:
        fail("no variable is named", 'write `x, y = variables("x y")`')
    return found[0] if len(found) == 1 else Variables(found)


# ------------------------------------------------------------------- aggregates


def _aggregate(name: Any, value: Any = None, by: Any = None, needs_by: bool = False) -> Aggregate:
    uses: frozenset[Use] = NOTHING
    parts: list[ir.Expr | None] = []
    for part in (value, by):
        if part is None:
            parts.append(None)
            continue
        term = _operand(part, f"`{name}`")
        uses |= term._uses
        parts.append(term._expr)
    if needs_by and by is None:
        fail(f"`{name}` does not say by what", f"write `{name}(value, by=time)`")
    return Aggregate(ir.Aggregate(name, parts[0], parts[1]), uses)


def count(value: Any = None) -> Aggregate:
    """How many matches of the body; `count(x)`: how many different x."""
    if isinstance(value, Wild):
        fail("`count(_)`", "`count()` counts the matches, `count(x)` the different x")
    return _aggregate("count", value)


def sum_(value: Any) -> Aggregate:
    """The sum of `value` over the matches of the body."""
    return _aggregate("sum", value)


def min_(value: Any) -> Aggregate:
    """The least value."""
    return _aggregate("min", value)


def max_(value: Any) -> Aggregate:
    """The greatest value."""
    return _aggregate("max", value)


def avg(value: Any) -> Aggregate:
    """The mean over the matches of the body, a float."""
    return _aggregate("avg", value)


def argmax(value: Any, by: Any = None) -> Aggregate:
    """The `value` of the match whose `by` is greatest; ties by the greatest value."""
    return _aggregate("argmax", value, by, needs_by=True)


def argmin(value: Any, by: Any = None) -> Aggregate:
    """The `value` of the match whose `by` is least; ties by the least value."""
    return _aggregate("argmin", value, by, needs_by=True)


def collect(value: Any) -> Aggregate:
    """The tuple of the different values, in value order."""
    return _aggregate("collect", value)


def choose(value: Any) -> Aggregate:
    """One of the values, by a priority that the seed determines."""
    return _aggregate("choose", value)


def index(value: Any) -> Aggregate:
    """The rank of `value`, from 0, among those of equal other columns; keeps every row."""
    return _aggregate("index", value)


# --------------------------------------------------------------------- literals


class Body:
    """Literals joined by `&`, and the mark that the first one carries."""

    __slots__ = ("_mark", "_parts", "_uses")

    def __init__(self, parts: tuple[Any, ...], uses: frozenset[Use], mark: str = "") -> None:
        self._parts: tuple[ir.Literal | Atom, ...] = parts
        self._uses = uses
        self._mark = mark

    def _literals(self) -> tuple[ir.Literal, ...]:
        return tuple(p._literal() if isinstance(p, Atom) else p for p in self._parts)

    def _take(self) -> None:
        """These literals are part of something; those left over at the end are a mistake."""
        here_ = scope.current()
        if here_ is not None:
            for part in self._parts:
                here_.statements.loose.pop(id(part), None)

    def __repr__(self) -> str:
        from bloomish.pretty import literal_text

        first = {"": "", "+": "+", "-": "-", "+-": "+-", "~": "~"}[self._mark]
        return first + " & ".join(
            repr(p) if isinstance(p, Atom) else literal_text(p) for p in self._parts
        )

    __hash__ = object.__hash__

    def __and__(self, other: Any) -> Body:
        right = as_body(other, after=True)
        if right._mark:
            mend = f"a mark belongs to the first one: `head <{right._mark} first(...) & ...`"
            if right._mark in ("~", "-"):
                bare = Body(right._parts, right._uses)
                mend = f"the absence of a row is `notin({bare!r})`; {mend}"
            fail(f"the mark `{right._mark}` stands on a later literal of the body", mend)
        return Body(self._parts + right._parts, self._uses | right._uses, self._mark)

    def __rand__(self, other: Any) -> Body:
        return as_body(other) & self

    def __pos__(self) -> Body:
        return self._with("+-" if self._mark == "-" else "+", {"", "-"})

    def __neg__(self) -> Body:
        return self._with("-", {""})

    def __invert__(self) -> Body:
        return self._with("~", {""})

    def _with(self, mark: str, after: set[str]) -> Body:
        if self._mark not in after:
            fail(
                f"two marks on one literal: `{mark}` before `{self._mark}`",
                "the operators are <=, <+ (next tick), <- (delete), <+- (replace), <~ (send)",
            )
        if isinstance(self._parts[0], ir.Condition):
            as_term = Condition(self._parts[0].test, self._uses)
            as_term._marked(mark)
        return Body(self._parts, self._uses, mark)

    def __or__(self, other: Any) -> Condition:
        if all(isinstance(part, ir.Condition) for part in self._parts):
            return either(self, other)
        fail(
            "`|` between literals",
            "write one rule for each alternative; conditions are joined by `(a) | (b)`",
        )

    def __ror__(self, other: Any) -> Condition:
        return self.__or__(other)

    def __sub__(self, other: Any) -> NoReturn:
        fail(
            "`-` between literals",
            f"rows without a match are found by `& notin({other!r})`"
            if isinstance(other, Body)
            else "arithmetic goes on variables",
        )

    def __add__(self, other: Any) -> NoReturn:
        fail("`+` between literals", "write one rule for each alternative; join by `&`")

    def __bool__(self) -> bool:
        no_truth_value(repr(self))

    def __eq__(self, other: object) -> Any:
        return self._compared("==", other)

    def __ne__(self, other: object) -> Any:
        return self._compared("!=", other)

    def __le__(self, other: Any) -> Any:
        return self._compared("<=", other)

    def __lt__(self, other: Any) -> Any:
        return self._compared("<", other)

    def __ge__(self, other: Any) -> Any:
        return self._compared(">=", other)

    def __gt__(self, other: Any) -> Any:
        return self._compared(">", other)

    def _compared(self, op: str, other: Any) -> NoReturn:
        if isinstance(other, Body) and op in {"<=", "<"}:
            fail(
                f"the head of a rule is one literal, not `{self!r}`",
                "write one rule for each head, or put the condition into the body",
            )
        if self._mark or isinstance(other, Body):
            fail(f"`{op}` between literals", "a rule is `head(...) <= body(...)`")
        missing_parentheses(f"`{op}` compares the literal `{self!r}` with a value")


class Atom(Body):
    """`link(x, y)`: a literal of a body, or the head of a rule."""

    __slots__ = ("_args", "_at", "_collection", "_negated", "_omitted", "_place")

    def __init__(
        self,
        collection: Collection,
        args: tuple[ir.HeadArg, ...],
        uses: frozenset[Use],
        omitted: tuple[str, ...] = (),
        negated: bool = False,
        at: int | None = None,
    ) -> None:
        super().__init__((self,), uses | {collection})
        self._collection = collection
        self._args = args
        self._omitted = omitted  # columns that a keyword call left free
        self._negated = negated
        self._at = at
        frame = user_frame()
        self._place = place(frame)
        here_ = scope.current()
        if here_ is not None and isinstance(statement_at(frame), ast.Expr):
            here_.statements.loose[id(self)] = self

    def __repr__(self) -> str:
        from bloomish.pretty import atom_text

        text = atom_text(self._collection.name or "?", self._args)
        return f"notin({text})" if self._negated else text

    def _literal(self) -> ir.Atom:
        args: list[ir.Expr] = []
        for arg in self._args:
            if isinstance(arg, ir.Aggregate):
                fail(
                    f"the aggregate `{expr_text(arg)}` stands in a body",
                    "aggregate in the head of a rule of its own, and read that collection",
                )
            args.append(arg)
        return ir.Atom(self._collection.name, tuple(args), self._negated, self._at, self._place)

    # as the head of a rule

    def __le__(self, body: Any) -> Rule:
        return state(self, "<=", body)

    def __lt__(self, body: Any) -> Rule:
        return state(self, "<", body)

    def __ge__(self, other: Any) -> NoReturn:
        self._turned(">=", other)

    def __gt__(self, other: Any) -> NoReturn:
        self._turned(">", other)

    def _turned(self, op: str, other: Any) -> NoReturn:
        # Python asks the atom on the right of `body <= atom` first, as its class is the narrower.
        if isinstance(other, Body) and not isinstance(other, Atom):
            node = enclosing(user_frame(), (ast.Compare,))
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.LtE, ast.Lt)):
                other._compared("<=", self)
        fail(f"`{op}` after a head", "rules point to the left: `head(...) <= body(...)`")


A_RULE = "the rule"


class Rule:
    """A stated rule.  It is already part of its program; nothing is done with it."""

    __slots__ = ("_stated",)

    def __init__(self, stated: scope.Stated | None = None) -> None:
        self._stated = stated

    def __bool__(self) -> bool:
        no_truth_value(A_RULE)

    def __and__(self, other: Any) -> NoReturn:
        fail("a rule is part of a larger expression", "a rule is a statement of its own")

    __rand__ = __and__
    __or__ = __and__


def as_body(value: Any, after: bool = False) -> Body:
    """What `&` and the operators take: a literal, a condition, or several."""
    if isinstance(value, Body):
        return value
    if isinstance(value, Condition):
        return Body((ir.Condition(value._expr, place(user_frame())),), value._uses)
    if isinstance(value, Term) and not isinstance(value, (MethodRef, Aggregate, Wild)):
        if isinstance(value._expr, (ir.Method, ir.Call, ir.Field)):
            return Body((ir.Condition(value._expr, place(user_frame())),), value._uses)
        missing_parentheses(
            f"`{value!r}` is neither a literal nor a condition",
            f"a bool is tested by `({value!r} == True)`",
        )
    if isinstance(value, (MethodRef, Wild)):
        lift(value)
    if isinstance(value, Aggregate):
        fail(
            f"the aggregate `{value!r}` stands in a body",
            "aggregate in the head of a rule of its own, and read that collection",
        )
    if isinstance(value, Rule):
        fail("a rule stands in a body", "state it in a line of its own")
    if hasattr(value, "columns") and hasattr(value, "kind"):
        names = ", ".join(column.name for column in value.columns)
        fail(
            f"the collection `{value.name}` stands in a body without its columns",
            f"write `{value.name}({names})`",
        )
    if isinstance(value, bool):
        fail(
            f"`{value!r}` stands in a body: Python has worked it out before the rule was stated",
            "write a comparison in parentheses, `(x == y)`; `is` and `in` cannot be part of a rule",
        )
    if isinstance(value, (int, float, str, bytes, type(None))):
        missing_parentheses(f"`{value!r}` is neither a literal nor a condition")
    if isinstance(value, (tuple, list, set)):
        fail(
            "a body is not a tuple, list or set",
            "join its literals by `&`: `head(x) <= a(x) & b(x)`; facts go into the collection "
            'itself: `link <= [("a", "b")]`',
        )
    if callable(value):
        lift(value)
    if hasattr(value, "collection") and hasattr(value, "mark"):
        as_body(value.collection)
    fail(
        f"{value!r} ({type(value).__name__}) is not a literal",
        "a body is made of `collection(...)`, `notin(...)`, `each(...)` and conditions",
    )


def notin(literal: Any) -> Atom:
    """No row of the collection matches."""
    if isinstance(literal, Condition):
        fail("`notin` of a condition", f"write `not_({literal!r})`")
    if not isinstance(literal, Atom):
        if isinstance(literal, Body) and len(literal._parts) > 1:
            fail(
                "`notin` of several literals",
                "derive their conjunction into a scratch, and negate that: `notin(both(x))`",
            )
        if isinstance(literal, Body) and literal._mark:
            fail(f"the mark `{literal._mark}` inside `notin`", "write it before `notin`")
        if isinstance(literal, Term):
            fail(f"`notin` of `{literal!r}`", "it takes a literal: `notin(link(x, y))`")
        as_body(literal)
        fail("`notin` of what is not a literal over a collection", "write `notin(link(x, y))`")
    if literal._negated:
        fail("`notin` of a `notin`", "leave both out")
    literal._take()
    return Atom(
        literal._collection, literal._args, literal._uses, literal._omitted, True, literal._at
    )


def each(*items_and_source: Any) -> Body:
    """`each(x, values)` over a set or a tuple, `each(k, v, counts)` over a map."""
    if len(items_and_source) not in (2, 3):
        fail("`each` takes one or two items and what to range over", "write `each(x, values)`")
    *items, source = items_and_source
    first = items[0]
    if len(items) == 1 and isinstance(first, tuple) and len(first) == 2:
        items = list(first)  # each((k, v), counts)
    values = _operand(source, "`each`")
    terms = [lift(item) for item in items]
    for term in terms:
        if isinstance(term, Aggregate):
            _operand(term, "`each`")
    literal = ir.Each(tuple(t._expr for t in terms), values._expr, place(user_frame()))
    return Body((literal,), values._uses.union(*(t._uses for t in terms)))


def at(tick: int, literal: Any) -> Any:
    """A literal, or facts, at one absolute tick (Dedalus's `@N`): `at(1, crash(x))`,
    `at(3, link) <= [("a", "b")]`."""
    if not isinstance(tick, int) or isinstance(tick, bool) or tick < 1:
        fail(f"{tick!r} is not the number of a tick", "ticks count from 1")
    if isinstance(literal, Atom):
        literal._take()
        return Atom(
            literal._collection,
            literal._args,
            literal._uses,
            literal._omitted,
            literal._negated,
            tick,
        )
    if hasattr(literal, "facts_at"):
        return literal.facts_at(tick)
    fail("`at` takes a literal or a collection", "write `at(1, link(x, y))`")


# ------------------------------------------------------------------------ rules

_OPERATORS: dict[str, ir.Operator] = {"+": "<+", "-": "<-", "+-": "<+-", "~": "<~"}


def operator(op: str, mark: str) -> ir.Operator:
    """`<` and the first literal's mark together are the rule's operator."""
    if op == "<=":
        if mark:
            fail(
                f"`<=` and the mark `{mark}` together",
                f"write `head <{mark} body`, or `head <= body` without the mark",
            )
        return "<="
    if not mark:
        fail(
            "a plain `<` is not an operator of rules",
            "write <= (now), <+ (next tick), <- (delete), <+- (replace) or <~ (send)",
        )
    return _OPERATORS[mark]


def state(head: Atom, op: str, body_value: Any) -> Rule:
    """State `head op body` in the class body under way."""
    frame = user_frame()
    name = head._collection.name
    if isinstance(body_value, (list, set, frozenset)):
        fail(
            f"facts are given to `{name}(...)`",
            f"they go into the collection itself: `{name} <= [...]`",
        )
    if (
        body_value is True
        or body_value is None
        or (isinstance(body_value, tuple) and not body_value)
    ):
        row = ", ".join(map(expr_text, head._args)) + "," * (len(head._args) == 1)
        fail("a rule without a body", f"a fact is written `{name} <= [({row})]`")
    body = as_body(body_value)
    operator_ = operator(op, body._mark)
    span = span_at(frame)
    scope_ = scope.current()
    if scope_ is None:
        raise ProgramError(
            span,
            "a rule outside the body of a Program class",
            "state it inside `class Name(Program):`",
        )
    if head._negated:
        raise ProgramError(span, "`notin` in a head", "to delete rows write `head <- body`")
    if head._at is not None:
        raise ProgramError(span, "`at` in a head", "a rule derives at every tick")
    node = statement_at(frame)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Tuple):
        raise ProgramError(
            span, "a comma makes a tuple of the rule and what follows", "join literals by `&`"
        )
    check_head(head, operator_, span)
    head._take()
    body._take()
    stated = scope.Stated(
        head._collection,
        head._args,
        operator_,
        body._literals(),
        head._uses | body._uses,
        span,
    )
    scope_.statements.rules.append(stated)
    return Rule(stated)


def check_head(head: Atom, op: ir.Operator, span: ir.Span) -> None:
    """Every column of a head has a value."""
    name = head._collection.name
    if head._omitted:
        listed = ", ".join(f"`{column}`" for column in head._omitted)
        raise ProgramError(
            span, f"the head `{name}` leaves {listed} out", "a head gives every column a value"
        )
    for column, arg in zip(head._collection.columns, head._args, strict=True):
        if isinstance(arg, ir.Wild):
            args = ", ".join(column.name for column in head._collection.columns)
            mend = (
                f"`<-` matches whole rows; bind them: `{name}({args}) <- {name}({args}) & ...`"
                if op == "<-"
                else "a head gives every column a value"
            )
            raise ProgramError(
                span, f"`_` in the head, for the column `{column.name}` of `{name}`", mend
            )


# -------------------------------------------------- what went wrong, from the text


def missing_parentheses(what: str, otherwise: str = "") -> NoReturn:
    """`b(x) & x < y`: `&` binds tighter than a comparison."""
    frame = user_frame()
    node = statement_at(frame)
    mend = "put the condition in parentheses: `body(x) & (x < y)`"
    if otherwise:
        mend += f"; {otherwise}"
    if node is not None:
        for compare in ast.walk(node):
            if isinstance(compare, ast.Compare):
                mend = _parenthesised(compare) or mend
    fail(f"{what}: `&` binds tighter than a comparison", mend)


_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


def _parenthesised(compare: ast.Compare) -> str:
    """The condition that `h(x) <= b(x) & x < y` was meant to have, in parentheses."""
    operands = [compare.left, *compare.comparators]
    for number in range(1, len(operands) - 1):
        left = operands[number]
        symbol = _COMPARISONS.get(type(compare.ops[number]))
        if isinstance(left, ast.BinOp) and isinstance(left.op, ast.BitAnd) and symbol:
            right = operands[number + 1]
            while isinstance(right, ast.BinOp) and isinstance(right.op, ast.BitAnd):
                right = right.left
            return (
                "put the condition in parentheses: "
                f"`({ast.unparse(left.right)} {symbol} {ast.unparse(right)})`"
            )
    return ""


def no_truth_value(shown: str) -> NoReturn:
    """Python asked a term, literal or rule whether it is true; say what the user wrote."""
    frame = user_frame()
    node = enclosing(frame, _ASKING, _asks)
    if isinstance(node, ast.BoolOp):
        word = "and" if isinstance(node.op, ast.And) else "or"
        mend = (
            "join literals and conditions by `&`, each condition in parentheses"
            if word == "and"
            else "write one rule for each alternative; conditions: `either(x < y, x == 0)`"
        )
        fail(f"`{word}` cannot join the parts of a rule", mend)
    if isinstance(node, ast.UnaryOp):
        fail(
            f"`not {shown}`: Python's `not` cannot be part of a rule",
            "write `notin(literal)`, or `not_(condition)`",
        )
    if isinstance(node, ast.Compare):
        if any(isinstance(op, (ast.In, ast.NotIn)) for op in node.ops):
            fail("`in` cannot be part of a rule", "write `values.contains(x)` or `each(x, values)`")
        mended = _parenthesised(node)
        if mended:
            fail("parentheses are missing round a condition", mended)
        if shown != A_RULE:
            fail("a chained comparison", _unchained(node))
    if shown == A_RULE:
        fail("two rules in one expression", "write each rule in a line of its own")
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", "")
        fail(
            f"Python's `{name}` cannot be part of a rule",
            f"the aggregate is `{name}_(x)`, in a head"
            if name in ("min", "max")
            else "compute it in a Python function marked @function",
        )
    if isinstance(node, (ast.If, ast.IfExp, ast.While, ast.Assert)):
        fail(
            f"Python asks whether `{shown}` is true while the program is being built",
            "put the condition into the body of a rule",
        )
    fail(
        f"`{shown}` has no truth value: it is known only when the rule runs",
        "compare with `==` in parentheses, join by `&`; two tuples are compared through a "
        "variable: `(pair == (x, y)) & (pair < (v, w))`",
    )


_ASKING = (
    ast.Compare, ast.BoolOp, ast.UnaryOp, ast.If, ast.IfExp, ast.While, ast.Assert, ast.Call,
)  # fmt: skip


def _asks(node: ast.AST) -> bool:
    """Does this node ask for truth values?"""
    if isinstance(node, ast.Compare):
        return len(node.ops) > 1 or isinstance(node.ops[0], (ast.In, ast.NotIn))
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    if isinstance(node, ast.Call):
        return getattr(node.func, "id", "") in ("min", "max", "sorted", "any", "all", "bool")
    return True


def _unchained(node: ast.Compare) -> str:
    operands = [node.left, *node.comparators]
    if all(type(op) in _COMPARISONS for op in node.ops):
        parts = [
            f"({ast.unparse(left)} {_COMPARISONS[type(op)]} {ast.unparse(right)})"
            for left, op, right in zip(operands, node.ops, operands[1:], strict=False)
        ]
        return f"write two comparisons, each in parentheses: `{' & '.join(parts)}`"
    return "write two comparisons, each in parentheses, joined by `&`"


def sorted_rows(rows: set[Any] | frozenset[Any]) -> list[Any]:
    """A set's rows in value order, so that no hash shows."""
    return sorted(rows, key=order_key)
