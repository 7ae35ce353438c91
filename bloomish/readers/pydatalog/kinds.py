"""Column types of an untyped program: which kinds of value can reach each column.

Columns that share a variable share a type (union-find); kinds flow through
expressions to a fixpoint.  To pyDatalog 1, 1.0 and True are one value, so a
column of ints and floats is a float column, and a column where such values
meet others is refused rather than told apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from bloomish.ir import Plain, Span, Type
from bloomish.readers.pydatalog.clauses import Agg, Built, C, Fact, Item, Op, Sig, Term, Tup, V
from bloomish.readers.pydatalog.normal import Bind, Match, Member, Part, Rule, Unpack
from bloomish.readers.refusal import refusal

Place = tuple[Sig, int] | tuple[int, str]  # a column, or a rule's variable
_NUMBERS = frozenset({"int", "float", "bool"})
_ANY = frozenset({"any"})


class Kinds:
    """The kinds of every column and variable of the flat rules and facts."""

    def __init__(self, rules: Sequence[Rule], facts: Iterable[Fact]) -> None:
        self._parent: dict[Place, Place] = {}
        self._kinds: defaultdict[Place, set[str]] = defaultdict(set)
        self._seen: dict[Place, Span] = {}
        self._rules = rules
        for fact in facts:
            for column, value in enumerate(fact.row):
                self._add((fact.sig, column), {kind(value)}, fact.span)
        for number, rule in enumerate(rules):
            self._join(number, rule)
        changed = True
        while changed:
            changed = False
            for number, rule in enumerate(rules):
                changed |= self._flow(number, rule)

    # ---------------------------------------------------------------- results

    def type(self, place: Place) -> Type:
        """The type of a column or variable."""
        kinds = self._kinds[self._root(place)]
        numbers = kinds & _NUMBERS
        if len(kinds) == 1 and kinds <= {"int", "float", "str", "bytes", "bool"}:
            (only,) = kinds
            return Plain(only)  # type: ignore[arg-type]
        if kinds == {"int", "float"}:
            return Plain("float")
        if len(numbers) > 1:
            span = self._seen.get(self._root(place), Span())
            shown = ", ".join(sorted(kinds))
            raise refusal(
                span,
                f"values of the kinds {shown} meet in one column; to pyDatalog equal numbers "
                "and booleans are one value, here they would be told apart",
                "keep to one kind of number per column",
            )
        return Plain("Any")

    def of(self, number: int, term: Term) -> frozenset[str]:
        """The kinds that a term of a rule can have."""
        match term:
            case V(name):
                return frozenset(self._kinds[self._root((number, name))])
            case C(value):
                return frozenset({kind(value)})
            case Op(op, left, right):
                return _arithmetic(op, self.of(number, left), self.of(number, right))
            case Tup() | Built("range"):
                return frozenset({"tuple"})
            case Built("format"):
                return frozenset({"str"})
            case Item():
                return _ANY
        return _ANY

    # -------------------------------------------------------------- constraints

    def _join(self, number: int, rule: Rule) -> None:
        for step in rule.steps:
            if isinstance(step, Match):
                for column, arg in enumerate(step.args):
                    if isinstance(arg, V):
                        self._union((step.sig, column), (number, arg.name))
                    elif isinstance(arg, C):
                        self._add((step.sig, column), {kind(arg.value)}, step.span)
            elif isinstance(step, Bind) and isinstance(step.value, V):
                self._union((number, step.name), (number, step.value.name))
        for column, arg in enumerate(rule.args):
            if isinstance(arg, V):
                self._union((rule.sig, column), (number, arg.name))
        if rule.agg and rule.agg.name in ("min_", "max_") and rule.agg.value:
            self._union((rule.sig, len(rule.args)), (number, rule.agg.value.name))

    def _flow(self, number: int, rule: Rule) -> bool:
        changed = False
        for step in rule.steps:
            if isinstance(step, Bind):
                changed |= self._add((number, step.name), self.of(number, step.value), step.span)
            elif isinstance(step, Member):
                if not step.binds:
                    continue
                kinds = (
                    {kind(v) for v in step.values} if isinstance(step.values, tuple) else {"any"}
                )
                if isinstance(step.values, Built):
                    kinds = {"int"}
                changed |= self._add((number, step.name), kinds, step.span)
            elif isinstance(step, Unpack | Part):
                changed |= self._add((number, step.name), {"any"}, step.span)
        for column, arg in enumerate(rule.args):
            if not isinstance(arg, V):
                changed |= self._add((rule.sig, column), self.of(number, arg), rule.span)
        if rule.agg:
            result = self._aggregate(number, rule.agg)
            changed |= self._add((rule.sig, len(rule.args)), result, rule.span)
        return changed

    def _aggregate(self, number: int, agg: Agg) -> frozenset[str]:
        match agg.name:
            case "len_" | "rank_":
                return frozenset({"int"})
            case "mean_":
                return frozenset({"float"})
            case "concat_":
                return frozenset({"str"})
            case "tuple_" | "linear_regression_":
                return frozenset({"tuple"})
        assert agg.value is not None
        return self.of(number, agg.value)

    # -------------------------------------------------------------- union-find

    def _root(self, place: Place) -> Place:
        path = []
        while (parent := self._parent.get(place, place)) != place:
            path.append(place)
            place = parent
        for one in path:
            self._parent[one] = place
        return place

    def _union(self, one: Place, other: Place) -> None:
        keep, gone = self._root(one), self._root(other)
        if keep != gone:
            self._parent[gone] = keep
            self._kinds[keep] |= self._kinds.pop(gone, set())
            if gone in self._seen:
                self._seen.setdefault(keep, self._seen[gone])

    def _add(self, place: Place, kinds: Iterable[str], span: Span) -> bool:
        root = self._root(place)
        self._seen.setdefault(root, span)
        before = len(self._kinds[root])
        self._kinds[root].update(kinds)
        return len(self._kinds[root]) != before


def kind(value: object) -> str:
    """The kind of a constant."""
    if value is None:
        return "none"
    for name, python in (("bool", bool), ("int", int), ("float", float), ("str", str)):
        if isinstance(value, python):
            return name
    return "bytes" if isinstance(value, bytes) else "tuple"


def _arithmetic(op: str, left: frozenset[str], right: frozenset[str]) -> frozenset[str]:
    if not left or not right:
        return frozenset()
    both = left | right
    if both <= _NUMBERS:
        return frozenset({"float"}) if op == "/" or "float" in both else frozenset({"int"})
    if op == "+" and len(both) == 1 and both <= {"str", "bytes", "tuple"}:
        return both
    return _ANY
