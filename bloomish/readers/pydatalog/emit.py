"""Flat rules to the IR: names, columns, literals, expressions."""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from itertools import count

from bloomish import ir
from bloomish.readers.pydatalog.clauses import Built, C, Fact, Item, Op, Sig, Term, Tup, V
from bloomish.readers.pydatalog.kinds import Kinds
from bloomish.readers.pydatalog.normal import Bind, Match, Member, Part, Rule, Step, Test, Unpack
from bloomish.readers.refusal import refusal

_FLOAT = ir.Plain("float")


class Emitter:
    """Builds the IR of one program; `used` collects the functions that it needs."""

    def __init__(self, rules: list[Rule], facts: list[Fact], helpers: set[Sig]) -> None:
        self.rules = rules
        self.facts = facts
        self.helpers = helpers
        self.kinds = Kinds(rules, facts)
        self.used: set[str] = set()
        self.extra: list[ir.Collection] = []
        self.extra_facts: list[ir.Facts] = []
        self.extra_functions: list[ir.FunctionDecl] = []
        self.out: list[ir.Rule] = []
        self._taken: set[str] = set()
        self._values = count(1)
        self._rule_numbers: dict[str, int] = {}
        self.sigs = self._signatures()
        self.names = {sig: self._named(sig) for sig in self.sigs}

    # ------------------------------------------------------------- collections

    def _signatures(self) -> list[Sig]:
        found: dict[Sig, None] = {}
        for fact in self.facts:
            found[fact.sig] = None
        for rule in self.rules:
            for step in rule.steps:
                if isinstance(step, Match):
                    found[step.sig] = None
            found[rule.sig] = None
        return list(found)

    def _named(self, sig: Sig) -> str:
        name = sig.name.strip("_") or "relation"
        if keyword.iskeyword(name):
            name += "_"
        alike = [s for s in self.sigs if s.name == sig.name]
        if len(alike) > 1:
            name += f"_of_{sig.arity - 1}" if sig.function else f"_{sig.arity}"
        return self.fresh_name(name)

    def fresh_name(self, stem: str) -> str:
        """A collection name that nothing else has."""
        name, number = stem, 1
        while name in self._taken:
            number += 1
            name = f"{stem}_{number}"
        self._taken.add(name)
        return name

    def collections(self) -> list[ir.Collection]:
        """Relations with clauses are outputs (helpers: scratches), all others tables."""
        derived = {rule.sig: rule.span for rule in reversed(self.rules)}
        spans = {fact.sig: fact.span for fact in reversed(self.facts)}
        made = []
        for sig in self.sigs:
            kind: ir.Kind = "table"
            if sig in derived:
                kind = "scratch" if sig in self.helpers else "output"
            span = derived.get(sig) or spans.get(sig) or ir.Span()
            made.append(ir.Collection(self.names[sig], kind, self.columns(sig), span=span))
        return made + self.extra

    def columns(self, sig: Sig) -> tuple[ir.Column, ...]:
        """One column per argument; a relation of none says so by `holds`."""
        if not sig.arity:
            return (ir.Column("holds", ir.Plain("bool")),)
        names = self._column_names(sig)
        return tuple(
            ir.Column(name, self.kinds.type((sig, at)), sig.function and at < sig.arity - 1)
            for at, name in enumerate(names)
        )

    def _column_names(self, sig: Sig) -> list[str]:
        for rule in self.rules:
            args = [*rule.args, *([V("Value")] if rule.agg else [])]
            if rule.sig != sig or not all(isinstance(arg, V) for arg in args):
                continue
            names = [arg.name.lower().strip("_") for arg in args if isinstance(arg, V)]
            good = all(n.isidentifier() and not keyword.iskeyword(n) for n in names)
            if good and len(set(names)) == len(names):
                return names
        return [f"c{at + 1}" for at in range(sig.arity)]

    def program_facts(self) -> list[ir.Facts]:
        """The facts by relation, in the order of the text."""
        rows: dict[Sig, list[tuple[object, ...]]] = {}
        spans: dict[Sig, ir.Span] = {}
        for fact in self.facts:
            row = tuple(self.constant(v, (fact.sig, at)) for at, v in enumerate(fact.row))
            rows.setdefault(fact.sig, []).append(row or (True,))
            spans.setdefault(fact.sig, fact.span)
        made = [
            ir.Facts(self.names[s], tuple(dict.fromkeys(r)), span=spans[s]) for s, r in rows.items()
        ]
        return made + self.extra_facts

    # ------------------------------------------------------------------- rules

    def rule(
        self, head: str, args: tuple[ir.HeadArg, ...], body: Iterable[ir.Literal], like: Rule
    ) -> None:
        """Add a rule; its name counts the rules of its head."""
        number = self._rule_numbers[head] = self._rule_numbers.get(head, 0) + 1
        origin = "" if like.sig not in self.helpers else "pydatalog"
        name = f"{head}_{number}"
        self.out.append(ir.Rule(name, head, args, "<=", tuple(body), origin, like.span))

    def body(self, number: int, steps: Iterable[Step]) -> list[ir.Literal]:
        """The literals of a rule's steps."""
        made: list[ir.Literal] = []
        for step in steps:
            made.extend(self._step(number, step))
        return made

    def _step(self, number: int, step: Step) -> list[ir.Literal]:
        match step:
            case Match(sig, args, negated, span):
                shown = [
                    ir.Wild() if arg is None else self.expr(number, arg, (sig, at))
                    for at, arg in enumerate(args)
                ]
                atom = tuple(shown) or (ir.Const(True),)
                return [ir.Atom(self.names[sig], atom, negated, span=span)]
            case Bind(name, value, span):
                made = self.expr(number, value, (number, name))
                return [ir.Condition(ir.Binary("==", ir.Var(name), made), span)]
            case Test(op, left, right, negated, span):
                self._comparable(number, left, right, span)
                test: ir.Expr = ir.Binary(op, self.expr(number, left), self.expr(number, right))
                return [ir.Condition(ir.Unary("not", test) if negated else test, span)]
            case Member(name, values, binds, span):
                return self._member(number, name, values, binds, span)
            case Unpack(name, size, span):
                self.used.add("tuple_size")
                counted = ir.Call("tuple_size", (ir.Var(name),))
                return [ir.Condition(ir.Binary("==", counted, ir.Const(size)), span)]
            case Part(name, of, index, span):
                self.used.add("part")
                part = ir.Call("part", (ir.Var(of), ir.Const(index)))
                return [ir.Condition(ir.Binary("==", ir.Var(name), part), span)]

    def _comparable(self, number: int, left: Term, right: Term, span: ir.Span) -> None:
        """To pyDatalog True == 1; the IR tells them apart, so neither is guessed."""
        one, other = self.kinds.of(number, left), self.kinds.of(number, right)
        for a, b in ((one, other), (other, one)):
            if a == {"bool"} and b & {"int", "float"}:
                raise refusal(span, "a boolean is compared with a number", "compare like with like")

    def _member(
        self, number: int, name: str, values: tuple[object, ...] | Term, binds: bool, span: ir.Span
    ) -> list[ir.Literal]:
        wanted = self.kinds.type((number, name))
        if isinstance(values, tuple):
            rows = [self._as(value, wanted) for value in values if _fits(value, wanted)]
            const = self.fresh_name(f"values_{next(self._values)}")
            self.extra.append(
                ir.Collection(const, "const", (ir.Column("value", wanted),), span=span)
            )
            facts = tuple(dict.fromkeys((row,) for row in rows))
            self.extra_facts.append(ir.Facts(const, facts, span=span))
            return [ir.Atom(const, (ir.Var(name),), span=span)]
        source = self.expr(number, values)
        if isinstance(values, Built) and values.name == "range" and wanted == _FLOAT:
            item = ir.Var(f"{name}_whole")
            widened = ir.Binary("==", ir.Var(name), ir.Binary("*", item, ir.Const(1.0)))
            return [ir.Each((item,), source, span), ir.Condition(widened, span)]
        return [ir.Each((ir.Var(name),), source, span)]

    # ------------------------------------------------------------- expressions

    def expr(
        self, number: int, term: Term, place: tuple[Sig, int] | tuple[int, str] | None = None
    ) -> ir.Expr:
        """A term; where its place holds floats, whole numbers are widened."""
        wanted = self.kinds.type(place) if place else None
        match term:
            case V(name):
                return ir.Var(name)
            case C(value):
                return ir.Const(self._as(value, wanted))
        made = self._computed(number, term)
        if wanted == _FLOAT and self.kinds.of(number, term) == {"int"}:
            return ir.Binary("*", made, ir.Const(1.0))
        return made

    def _computed(self, number: int, term: Term) -> ir.Expr:
        match term:
            case Op("**", left, right):
                whole = self.kinds.of(number, term) == {"int"}
                name = "power_int" if whole else "power_float"
                self.used.add(name)
                return ir.Call(name, (self.expr(number, left), self.expr(number, right)))
            case Op(op, left, right) if op != "**":
                if op in ("%", "*") and self.kinds.of(number, left) & {"str", "bytes", "tuple"}:
                    span = ir.Span()
                    raise refusal(span, f"{op} of a string", "use format_('...{}', X)")
                one, other = self.expr(number, left), self.expr(number, right)
                if op == "-" and one == ir.Const(0):
                    return ir.Unary("-", other)
                return ir.Binary(op, one, other)
            case Tup(items):
                return ir.TupleExpr(tuple(self.expr(number, item) for item in items))
            case Item(of, index):
                self.used.add("item")
                return ir.Call("item", (self.expr(number, of), self.expr(number, index)))
            case Built("range", args):
                self.used.add("range_of")
                return ir.Call("range_of", tuple(self.expr(number, arg) for arg in args))
            case Built("format", args):
                self.used.add("format_text")
                first, *rest = (self.expr(number, arg) for arg in args)
                return ir.Call("format_text", (first, ir.TupleExpr(tuple(rest))))
        return self.expr(number, term)

    def constant(self, value: object, place: tuple[Sig, int]) -> object:
        """A fact's value as its column holds it."""
        return self._as(value, self.kinds.type(place))

    def _as(self, value: object, wanted: ir.Type | None) -> object:
        if wanted == _FLOAT and isinstance(value, int) and not isinstance(value, bool):
            if int(float(value)) != value:
                what = f"{value} meets floats in one column and has no exact float"
                raise refusal(ir.Span(), what)
            return float(value)
        return value


def _fits(value: object, wanted: ir.Type) -> bool:
    """Whether a constant can equal a value of this type at all."""
    from bloomish.readers.pydatalog.kinds import kind

    if wanted == ir.Plain("Any"):
        return True
    name = kind(value)
    if isinstance(wanted, ir.Plain) and wanted.name == "float":
        return name in ("int", "float")
    if wanted == ir.Plain("int") and isinstance(value, float):
        return False  # kept apart by the column's type: an int column holds no 1.0
    return isinstance(wanted, ir.Plain) and wanted.name == name
