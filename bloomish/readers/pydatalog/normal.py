"""Clauses to flat rules: each literal becomes one step that binds or tests.

pyDatalog resolves a body from left to right.  Where that order decides the
meaning (a negation before its variable is bound is about any value, an equality
of two unknowns finds nothing), the reader insists on an order that leaves no
doubt, and says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count

from bloomish.ir import Span
from bloomish.readers.pydatalog.clauses import (
    Agg,
    Built,
    C,
    Clause,
    Cmp,
    Comparison,
    Fn,
    In,
    Item,
    Lit,
    Not,
    Op,
    Pred,
    Sig,
    Term,
    Tup,
    V,
    variables,
)
from bloomish.readers.refusal import refusal

# ---------------------------------------------------------------------- steps


@dataclass(frozen=True, slots=True)
class Match:
    """Rows of a relation; `negated`: that there are none."""

    sig: Sig
    args: tuple[Term | None, ...]  # None: any value
    negated: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Bind:
    """A free variable takes the value of a term."""

    name: str
    value: Term
    span: Span


@dataclass(frozen=True, slots=True)
class Test:
    """A comparison of bound terms."""

    op: Comparison
    left: Term
    right: Term
    negated: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Member:
    """A variable among constants, or among the elements of a tuple."""

    name: str
    values: tuple[object, ...] | Term
    binds: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Unpack:
    """A tuple of `size` whose parts are bound or tested by later steps."""

    name: str
    size: int
    span: Span


@dataclass(frozen=True, slots=True)
class Part:
    """Binds `name` to element `index` of the tuple in `of`."""

    name: str
    of: str
    index: int
    span: Span


Step = Match | Bind | Test | Member | Unpack | Part


@dataclass(frozen=True, slots=True)
class Rule:
    """`sig(args) <= steps`; all variables of `args` are bound by the steps."""

    sig: Sig
    args: tuple[Term, ...]
    steps: tuple[Step, ...]
    span: Span
    agg: Agg | None = None


@dataclass
class Normal:
    """The flat rules of a program, helper relations included."""

    rules: list[Rule] = field(default_factory=list)
    helpers: set[Sig] = field(default_factory=set)


# ------------------------------------------------------------------- flattening


class Unbound(Exception):
    """A variable that the literals to the left do not bind."""

    def __init__(self, name: str, span: Span, what: str) -> None:
        super().__init__(name, span, what)
        self.name = name
        self.span = span
        self.what = what


def choices(clause: Clause) -> Iterator[Clause]:
    """`X in (Y, 7)` is one clause per element."""
    for place, literal in enumerate(clause.body):
        if isinstance(literal, In) and isinstance(literal.values, Tup) and not literal.negated:
            for item in literal.values.items:
                same = Cmp("==", literal.item, item, literal.span)
                body = (*clause.body[:place], same, *clause.body[place + 1 :])
                yield from choices(replace(clause, body=body))
            return
    yield clause


class Flattener:
    """Turns the clauses of one program into rules; makes the helper relations."""

    def __init__(self, demanded: frozenset[Sig] = frozenset()) -> None:
        self.demanded = demanded
        self.normal = Normal()
        self._numbers = count(1)
        self._helpers = count(1)

    def clause(
        self, clause: Clause, given: Iterable[str] = (), first: tuple[Step, ...] = ()
    ) -> None:
        """Add a clause; `given` variables are bound by the steps in `first`."""
        for one in choices(clause):
            names = (n for part in (*one.args, *one.body) for n in variables(part))
            uses = Counter([*names, *_aggregate_names(one.agg)])
            flat = _Body(self, uses, set(given), list(first))
            for literal in one.body:
                flat.literal(literal)
            for name in (
                *(n for arg in one.args for n in variables(arg)),
                *_aggregate_names(one.agg),
            ):
                if name not in flat.bound:
                    raise Unbound(name, one.span, f"{name} stands in the head and nothing binds it")
            self.normal.rules.append(Rule(one.sig, one.args, tuple(flat.steps), one.span, one.agg))

    def fresh(self, stem: str) -> str:
        """A variable that no clause text can name (they start upper-case or `_`)."""
        return f"{stem}_{next(self._numbers)}"

    def helper(self, arity: int) -> Sig:
        """A relation of the reader's own."""
        sig = Sig(f"unless_{next(self._helpers)}", arity)
        self.normal.helpers.add(sig)
        return sig


def _aggregate_names(agg: Agg | None) -> list[str]:
    if agg is None:
        return []
    parts = [*agg.group_by, *agg.for_each, *(v for v, _ in agg.order_by)]
    return [v.name for v in ([agg.value] if agg.value else []) + parts]


class _Body:
    """The steps of one body, and what they have bound so far."""

    def __init__(
        self, owner: Flattener, uses: Counter[str], bound: set[str], steps: list[Step]
    ) -> None:
        self.owner = owner
        self.uses = uses
        self.bound = bound
        self.steps = steps

    def literal(self, literal: Lit) -> None:
        match literal:
            case Pred(sig, args, span):
                self._match(sig, [self._flat(arg, span) for arg in args], span)
            case Cmp(op, left, right, span):
                self._compare(op, self._flat(left, span), self._flat(right, span), span)
            case In(item, values, negated, span):
                self._member(self._flat(item, span), self._flat(values, span), negated, span)
            case Not(body, span):
                self._negation(body, span)

    # --------------------------------------------------------------- matching

    def _match(self, sig: Sig, args: list[Term], span: Span) -> None:
        if sig in self.owner.demanded:
            for key in args[:-1]:
                self._need(key, span, f"{sig.name}[...] is computed from its keys alone")
        later: list[Step] = []
        shown: list[Term | None] = [self._argument(arg, span, later) for arg in args]
        self.steps.append(Match(sig, tuple(shown), False, span))
        self.steps.extend(later)

    def _argument(self, arg: Term, span: Span, later: list[Step]) -> Term | None:
        match arg:
            case V(name):
                if self.uses[name] == 1 and name not in self.bound:
                    self.bound.add(name)
                    return None
                self.bound.add(name)
                return arg
            case Tup(items) if any(name not in self.bound for name in variables(arg)):
                whole = self.owner.fresh("tuple")
                self.bound.add(whole)
                later.append(Unpack(whole, len(items), span))
                for index, item in enumerate(items):
                    self._part(whole, index, item, span, later)
                return V(whole)
        self._need(arg, span, "pyDatalog finds nothing by an expression of unknowns")
        return arg

    def _part(self, whole: str, index: int, item: Term, span: Span, later: list[Step]) -> None:
        if isinstance(item, V) and item.name not in self.bound:
            self.bound.add(item.name)
            later.append(Part(item.name, whole, index, span))
            return
        name = self.owner.fresh("part")
        self.bound.add(name)
        later.append(Part(name, whole, index, span))
        if isinstance(item, Tup) and any(n not in self.bound for n in variables(item)):
            later.append(Unpack(name, len(item.items), span))
            for inner, part in enumerate(item.items):
                self._part(name, inner, part, span, later)
        else:
            self._need(item, span, "a pattern holds variables and bound terms")
            later.append(Test("==", V(name), item, False, span))

    # ------------------------------------------------------------- comparisons

    def _compare(self, op: Comparison, left: Term, right: Term, span: Span) -> None:
        if op == "==":
            for free, value in ((left, right), (right, left)):
                if isinstance(free, V) and free.name not in self.bound:
                    self._need(value, span, "pyDatalog finds nothing where both sides are unknown")
                    self.bound.add(free.name)
                    self.steps.append(Bind(free.name, value, span))
                    return
        for side in (left, right):
            self._need(side, span, "both sides of a comparison must be known by then")
        self.steps.append(Test(op, left, right, False, span))

    def _member(self, item: Term, values: Term, negated: bool, span: Span) -> None:
        self._need(values, span, "the values must be known by then")
        if isinstance(values, Built) and values.name == "range" and isinstance(values.args[0], C):
            size = values.args[0].value
            if not isinstance(size, int) or size > 100_000:
                raise refusal(span, f"range_({size!r}) is not a range of up to 100,000 numbers")
            values = C(tuple(range(size)))
        if negated:
            self._need(item, span, "`not in` tests a value that is known by then")
            parts = _parts(values)
            if parts is None:
                raise refusal(span, "`not in` of a computed tuple", "write the values out")
            for part in parts:
                self.steps.append(Test("!=", item, part, False, span))
            return
        if not isinstance(item, V):
            self._need(item, span, "the left side of `in` must be a variable, or known by then")
            name = self.owner.fresh("item")
            self.steps.append(Bind(name, item, span))
            self.bound.add(name)
            item = V(name)
        binds = item.name not in self.bound
        self.bound.add(item.name)
        if isinstance(values, Tup):
            raise refusal(span, "`in` with variables among its values cannot stand here")
        if isinstance(values, C):
            if not isinstance(values.value, tuple):
                raise refusal(span, "`in` takes a tuple of values")
            self.steps.append(Member(item.name, values.value, binds, span))
        else:
            self.steps.append(Member(item.name, values, binds, span))

    # --------------------------------------------------------------- negation

    def _negation(self, body: tuple[Lit, ...], span: Span) -> None:
        names = [name for literal in body for name in variables(literal)]
        inside = Counter(names)
        for name, times in inside.items():
            if name not in self.bound and self.uses[name] != times:
                raise refusal(
                    span,
                    f"{name} is not bound left of this negation, but used elsewhere; "
                    "pyDatalog would read it as any value, here alone",
                    f"move the literal that binds {name} to the left",
                )
        if len(body) == 1 and not any(_has_function(literal) for literal in body):
            literal = body[0]
            if isinstance(literal, Cmp):
                for side in (literal.left, literal.right):
                    self._need(side, span, "a negated comparison needs known values")
                self.steps.append(Test(literal.op, literal.left, literal.right, True, span))
                return
            if isinstance(literal, In):
                self._need(literal.item, span, "a negated `in` needs a known value")
                self.literal(replace(literal, negated=not literal.negated))
                return
            if isinstance(literal, Pred) and self._simple(literal, inside):
                args = tuple(
                    None if isinstance(arg, V) and arg.name not in self.bound else arg
                    for arg in literal.args
                )
                self.steps.append(Match(literal.sig, args, True, span))
                return
        self._unless(body, names, span)

    def _simple(self, literal: Pred, inside: Counter[str]) -> bool:
        if literal.sig in self.owner.demanded:
            return False  # its demand has to be raised first, by a positive use
        for arg in literal.args:
            free = [name for name in variables(arg) if name not in self.bound]
            if free and not (isinstance(arg, V) and inside[arg.name] == 1):
                return False
        return True

    def _unless(self, body: tuple[Lit, ...], names: list[str], span: Span) -> None:
        """`~(a & b)`: a helper relation of the bound values for which `a & b` holds."""
        shown = tuple(V(name) for name in dict.fromkeys(names) if name in self.bound)
        sig = self.owner.helper(len(shown))
        for one in choices(Clause(sig, shown, body, span)):
            inner = _Body(self.owner, Counter(self.uses), set(self.bound), list(self.steps))
            for literal in one.body:
                inner.literal(literal)
            self.owner.normal.rules.append(Rule(sig, shown, tuple(inner.steps), span))
        self.steps.append(Match(sig, shown, True, span))

    # ------------------------------------------------------------------- terms

    def _flat(self, term: Term, span: Span) -> Term:
        """Functions inside a term are looked up first (pyDatalog's precalculations)."""
        match term:
            case Fn(sig, keys):
                name = self.owner.fresh(sig.name.lower())
                self.uses[name] = 2
                self._match(sig, [*(self._flat(key, span) for key in keys), V(name)], span)
                return V(name)
            case Op(op, left, right):
                first = self._flat(left, span)
                return Op(op, first, self._flat(right, span))
            case Tup(items):
                return Tup(tuple(self._flat(item, span) for item in items))
            case Item(of, index):
                return Item(self._flat(of, span), self._flat(index, span))
            case Built(name, args):
                return Built(name, tuple(self._flat(arg, span) for arg in args))
        return term

    def _need(self, term: Term, span: Span, why: str) -> None:
        for name in variables(term):
            if name not in self.bound:
                raise Unbound(name, span, f"{name} is not bound by the literals to the left; {why}")


def _parts(values: Term) -> tuple[Term, ...] | None:
    match values:
        case C(value) if isinstance(value, tuple):
            return tuple(C(item) for item in value)
        case Tup(items):
            return items
    return None


def _has_function(what: Lit | Term) -> bool:
    match what:
        case Fn():
            return True
        case Pred(_, args) | Built(_, args) | Tup(args):
            return any(_has_function(arg) for arg in args)
        case Cmp(_, left, right) | Op(_, left, right):
            return _has_function(left) or _has_function(right)
        case In(item, values):
            return _has_function(item) or _has_function(values)
        case Item(of, index):
            return _has_function(of) or _has_function(index)
        case Not(body):
            return any(_has_function(literal) for literal in body)
    return False
