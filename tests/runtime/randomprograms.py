"""Random programs that are valid, and scripts of what happens to them.

The same generator draws from hypothesis (`cases()`, which shrinks) or from a
seeded `random.Random` (`case(seed)`, which is quick).  Values come from small
domains and every computed int is folded back into one, so every recursion
reaches its fixpoint and rows meet often.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

from bloomish import ir
from bloomish.check import check
from bloomish.errors import ProgramError
from bloomish.externals import Externals
from bloomish.lattices import Bool, Lattice, morphism
from bloomish.runtime.evaluator import Row
from bloomish.strata import edges, strata

T = TypeVar("T")

INT, STR, FLOAT = ir.Plain("int"), ir.Plain("str"), ir.Plain("float")
ANY, ADDRESS = ir.Plain("Any"), ir.Plain("Address")
PAIR = ir.TupleOf((INT, STR))
MAX, MIN = ir.Lattice("Max", (INT,)), ir.Lattice("Min", (INT,))
BOOL = ir.Lattice("Bool")
SET = ir.Lattice("SetUnion", (STR,))
MAP = ir.Lattice("MapUnion", (STR, MAX))
LEX = ir.Lattice("Lex", (MAX, SET))
HIGHEST = ir.Lattice("Highest")
LATTICES = (MAX, MIN, BOOL, SET, MAP, LEX)

NODE, PEER = "node-0", "node-1"
INTS = (0, 1, 2, 3)
STRS = ("a", "b", "é")
NODES = (NODE, PEER)


@dataclass(frozen=True)
class Features:
    """What the programs may use; an evaluator in the making leaves some out."""

    negation: bool = True
    aggregates: bool = True
    lattices: bool = True
    recursion: bool = True
    next_tick: bool = True  # <+ <- <+-
    sends: bool = True
    keys: bool = True
    each: bool = True
    durable: bool = True
    chance: bool = True  # now(), random(), tick_number()
    functions: bool = True  # @function and a user's lattice
    failures: bool = True  # division by zero, overflow, functions that raise
    fields: bool = True  # pairs, and field() of these and of any value
    periodic: bool = True
    views: bool = False  # mostly views over tables that grow and shrink, over many ticks


class Highest(Lattice):
    """A user's lattice: evaluators call back into Python for its merge."""

    carrier = int
    bottom = 0

    @staticmethod
    def merge(a: int, b: int) -> int:
        return max(a, b)

    @morphism(Bool)
    @staticmethod
    def above(a: int, n: int) -> bool:
        return a > max(n, 0)


def folded(x: int) -> int:
    return (3 * x + 1) % 4


def picky(x: int) -> int:
    if x == 3:
        raise ValueError("three is refused")
    return x


FUNCTIONS = (
    ir.FunctionDecl("folded", "randomprograms:folded", (INT,), INT),
    ir.FunctionDecl("picky", "randomprograms:picky", (INT,), INT),
)
EXTERNALS = Externals({"folded": folded, "picky": picky}, {"Highest": Highest})


@dataclass(frozen=True)
class Step:
    """What happens before a tick, and when the tick is."""

    rows: tuple[tuple[str, tuple[Row, ...]], ...] = ()
    now: float = 0.0
    resend: bool = False
    loopback: bool = True  # frames to the node itself come back


@dataclass(frozen=True)
class Case:
    program: ir.Program
    steps: tuple[Step, ...]
    seed: int = 0
    externals: Externals = field(default=EXTERNALS, compare=False)
    rosters: tuple[tuple[str, tuple[str, ...]], ...] = (("peer", NODES),)


# ------------------------------------------------------------------- choosing


class Chooser(Protocol):
    """Where the choices come from."""

    def integer(self, low: int, high: int) -> int: ...


class _Seeded:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def integer(self, low: int, high: int) -> int:
        return self._random.randint(low, high)


class _Drawn:
    def __init__(self, draw: Callable[[st.SearchStrategy[int]], int]) -> None:
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))


def case(seed: int, features: Features = Features()) -> Case:
    """The case of a seed."""
    return Generator(_Seeded(seed), features).case()


@st.composite
def cases(draw: Any, features: Features = Features()) -> Case:
    """Cases as hypothesis draws and shrinks them."""
    return Generator(_Drawn(draw), features).case()


# ----------------------------------------------------------------- generating


class Generator:
    def __init__(self, chooser: Chooser, features: Features) -> None:
        self._chooser = chooser
        self._features = features
        self._collections: list[ir.Collection] = []
        self._names: dict[str, ir.Collection] = {}

    def pick(self, options: Sequence[T]) -> T:
        return options[self._chooser.integer(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        return percent > 0 and self._chooser.integer(0, 99) >= 100 - percent

    def case(self) -> Case:
        program = self.program()
        return Case(program, self.steps(program), self._chooser.integer(0, 3))

    # ---------------------------------------------------------- collections

    def program(self) -> ir.Program:
        f = self._features
        self._declare("input", "in0", 2)
        self._declare("input", "in1", self._chooser.integer(1, 2))
        self._declare("const", "k0", 2)
        self._add("peers", "roster", (ir.Column("address", ADDRESS),), role="peer")
        if f.periodic and self.chance(30):
            self._add("beat", "periodic", (ir.Column("n", INT),), period=1.0)
        if f.sends:
            for number in range(self._chooser.integer(1, 2)):
                self._declare("channel", f"c{number}", self._chooser.integer(1, 2))
        for number in range(self._chooser.integer(1, 3)):
            self._declare("table", f"t{number}", self._chooser.integer(1, 3))
        for number in range(self._chooser.integer(1, 3)):
            self._declare("scratch", f"s{number}", self._chooser.integer(1, 2))
        for number in range(self._chooser.integer(1, 2)):
            self._declare("output", f"o{number}", self._chooser.integer(1, 2))
        if self.chance(20):
            self._declare("invariant", "never", 1)
        program = ir.Program(
            "Random",
            tuple(self._collections),
            (),
            self._facts(),
            lattices=(Highest.__ir_decl__(),) if f.functions else (),
            functions=FUNCTIONS if f.functions else (),
        )
        for number, collection in enumerate(self._collections):
            if collection.kind == "table" or self.chance(50):
                program = self._with_rule(program, partial(self._feed, number, collection))
            if f.views and collection.kind == "table" and not _merges(collection):
                program = self._with_rule(program, partial(self._drop, number, collection))
        for number in range(
            self._chooser.integer(4, 10) if f.views else self._chooser.integer(2, 8)
        ):
            program = self._with_rule(program, partial(self._rule, number))
        return program

    def _add(self, name: str, kind: ir.Kind, columns: tuple[ir.Column, ...], **more: Any) -> None:
        wire = f"Random.{name}" if kind == "channel" else ""
        collection = ir.Collection(name, kind, columns, wire=wire, **more)
        self._collections.append(collection)
        self._names[name] = collection

    def _declare(self, kind: ir.Kind, name: str, arity: int) -> None:
        f = self._features
        types: list[ir.Type] = [self.pick((INT, INT, STR)) for _ in range(arity)]
        lattices = (*LATTICES, HIGHEST) if f.functions else LATTICES
        grows = kind in ("table", "scratch", "output", "channel")
        merged = f.lattices and grows and self.chance(40 if kind == "table" else 20)
        keys = 0
        if merged:
            types = [*types[: self.pick((0, 1, 1, 1))], self.pick(lattices)]
            if self.chance(10):
                types.append(self.pick(lattices))
            keys = sum(1 for type_ in types if not isinstance(type_, ir.Lattice))
        elif kind in ("output", "scratch") and self.chance(15):
            types[-1] = self.pick((FLOAT, ANY, PAIR) if f.fields else (FLOAT, ANY))
        elif f.keys and kind in ("table", "scratch", "input") and arity > 1:
            keys = self._chooser.integer(1, arity - 1) if self.chance(35) else 0
        if kind == "channel":
            types = [ADDRESS, *types]
            keys = keys + 1 if merged else 0
        columns = tuple(
            ir.Column(f"c{place}", type_, place < keys) for place, type_ in enumerate(types)
        )
        durable = kind == "table" and f.durable and self.chance(40)
        self._add(name, kind, columns, durable=durable)

    def _facts(self) -> tuple[ir.Facts, ...]:
        found = []
        for collection in self._collections:
            if collection.kind == "const" or (collection.kind == "table" and self.chance(25)):
                rows = self._rows(collection, self._chooser.integer(1, 3))
                found.append(ir.Facts(collection.name, _one_per_key(collection, rows)))
        return tuple(found)

    # ---------------------------------------------------------------- values

    def value(self, type_: ir.Type) -> Any:
        """A carrier, constant."""
        match type_:
            case ir.Plain("int"):
                return self.pick(INTS)
            case ir.Plain("str"):
                return self.pick(STRS)
            case ir.Plain("float"):
                return self.pick((0.0, 0.5, 2.0))
            case ir.Plain("Address"):
                return self.pick(NODES)
            case ir.Plain("Any"):
                return self.pick((0, "a", 1.5, (1, "b")))
            case ir.TupleOf(items):
                return tuple(self.value(item) for item in items)
            case ir.Lattice("Max" | "Min", (inner,)):
                return self.value(inner)
            case ir.Lattice("Bool"):
                return self.chance(50)
            case ir.Lattice("SetUnion", (inner,)):
                return frozenset(self.value(inner) for _ in range(self._chooser.integer(0, 2)))
            case ir.Lattice("MapUnion", (key, inner)):
                return ((self.value(key), self.value(inner)),) if self.chance(80) else ()
            case ir.Lattice("Lex", (version, inner)):
                return (self.value(version), self.value(inner))
            case ir.Lattice("Highest"):
                return self.pick(INTS)
        raise TypeError(type_)

    def _rows(self, collection: ir.Collection, count: int) -> tuple[Row, ...]:
        return tuple(
            tuple(self.value(column.type) for column in collection.columns) for _ in range(count)
        )

    def steps(self, program: ir.Program) -> tuple[Step, ...]:
        arriving = [c for c in program.collections if c.kind in ("input", "channel", "periodic")]
        steps = []
        now = 0.0
        for _ in range(self._chooser.integer(*((5, 14) if self._features.views else (1, 7)))):
            rows = []
            for collection in arriving:
                if not self.chance(60 if collection.kind == "input" else 25):
                    continue
                given = self._rows(collection, self._chooser.integer(1, 4))
                if collection.kind == "channel":
                    given = tuple((NODE, *row[1:]) for row in given)
                if self.chance(90):  # else perhaps a key conflict
                    given = _one_per_key(collection, given)
                rows.append((collection.name, given))
            now += self.pick((0.0, 1.0, 2.5))
            steps.append(Step(tuple(rows), now, self.chance(20), self.chance(80)))
        return tuple(steps)

    # ----------------------------------------------------------------- rules

    def _with_rule(self, program: ir.Program, make: Callable[[], ir.Rule | None]) -> ir.Program:
        """The program with one more rule, if a valid one is found in a few tries."""
        for _ in range(3):
            rule = make()
            if rule is None:
                continue
            more = replace(program, rules=(*program.rules, rule))
            try:
                check(more)
            except ProgramError:
                continue
            if _no_chance_in_recursion(more) and (self._features.recursion or not _recursive(more)):
                return more
        return program

    def _feed(self, number: int, head: ir.Collection) -> ir.Rule | None:
        """A rule that surely has matches: tables from inputs, all else from tables."""
        if head.kind not in ("table", "scratch", "output", "invariant", "channel"):
            return None
        body = Body(self)
        sources = ("input", "const") if head.kind == "table" else ("table",)
        body.atom(sources, plain=True)
        op: ir.Operator = "<~" if head.kind == "channel" else "<="
        if head.kind == "table" and self._features.next_tick and self.chance(40):
            op = "<+-" if any(column.key for column in head.columns) else "<+"
        args = body.head(head, op)
        if args is None:
            return None
        return ir.Rule(f"fed{number}", head.name, args, op, tuple(body.literals))

    def _drop(self, number: int, head: ir.Collection) -> ir.Rule | None:
        """A rule that deletes rows when their first column arrives in an input."""
        body = Body(self)
        args = body.atom((), plain=True, of=head)
        body.atom(("input",))
        return ir.Rule(f"drop{number}", head.name, args, "<-", tuple(body.literals))

    def _rule(self, number: int) -> ir.Rule | None:
        f = self._features
        kinds = ["scratch", "output", "table", "invariant"] + ["channel"] * f.sends
        if f.views:
            kinds = ["scratch", "output"] + ["channel"] * f.sends
        heads = [c for c in self._collections if c.kind in kinds]
        head = self.pick(heads)
        op: ir.Operator = "<="
        if head.kind == "channel":
            op = "<~"
        elif f.next_tick and head.kind == "table" and self.chance(50):
            op = self.pick(("<+", "<-", "<-", "<+-"))
            if op == "<+-" and not any(column.key for column in head.columns):
                op = "<+"
        elif f.next_tick and head.kind == "scratch" and self.chance(20):
            op = "<+"
        body = Body(self)
        deleted: tuple[ir.HeadArg, ...] | None = None
        if op == "<-" and self.chance(85):
            deleted = body.atom((), plain=True, of=head)
        kept = (f.views or self.chance(50)) and deleted is None
        for _ in range(self.pick((1, 1, 1, 2, 2, 2, 3))):
            body.atom(("table", "const", "roster", "scratch", "output") if kept else ())
        if f.each and self.chance(40):
            body.each()
        if self.chance(30):
            body.binding()
        for _ in range(self.pick((0, 0, 0, 1, 1, 2))):
            body.condition()
        if f.negation and self.chance(35):
            body.negated()
        args = deleted or body.head(head, op)
        if args is None:
            return None
        return ir.Rule(f"r{number}", head.name, args, op, tuple(body.literals))


class Body:
    """A body in the making, and the variables that it binds so far."""

    def __init__(self, generator: Generator) -> None:
        self._g = generator
        self.literals: list[ir.Literal] = []
        self.bound: dict[str, ir.Type] = {}

    def _of(self, type_: ir.Type) -> list[str]:
        return [name for name, found in self.bound.items() if found == type_]

    def _fresh(self, type_: ir.Type) -> str:
        name = f"v{len(self.bound)}"
        self.bound[name] = type_
        return name

    def atom(
        self,
        kinds: Sequence[str] = (),
        plain: bool = False,
        of: ir.Collection | None = None,
    ) -> tuple[ir.Expr, ...]:
        """An atom of a collection of these kinds; a plain one takes every row."""
        g = self._g
        readable = [c for c in g._collections if c.kind in kinds or not kinds]
        collection = of or g.pick(readable)
        args: list[ir.Expr] = []
        for column in collection.columns:
            known = self._of(column.type)
            choice = 6 if plain else g._chooser.integer(0, 12)
            lattice = isinstance(column.type, ir.Lattice)
            if known and not lattice and choice < 5:
                args.append(ir.Var(g.pick(known)))
            elif choice == 9 and (not lattice or g.chance(30)) and column.type != ANY:
                args.append(ir.Const(g.value(column.type)))
            elif choice == 8:
                args.append(ir.Wild())
            elif choice == 7 and column.type == INT and self._of(INT):
                args.append(self.number(1))
            else:
                args.append(ir.Var(self._fresh(column.type)))
        self.literals.append(ir.Atom(collection.name, tuple(args)))
        return tuple(args)

    def negated(self) -> None:
        g = self._g
        readable = [c for c in g._collections if not isinstance(c.columns[-1].type, ir.Lattice)]
        collection = g.pick(readable)
        args: list[ir.Expr] = []
        for column in collection.columns:
            known = self._of(column.type)
            if known and g.chance(75):
                args.append(ir.Var(g.pick(known)))
            elif column.type != ANY and g.chance(20):
                args.append(ir.Const(g.value(column.type)))
            else:
                args.append(ir.Wild())
        self.literals.append(ir.Atom(collection.name, tuple(args), negated=True))

    def each(self) -> None:
        g = self._g
        sets, maps = self._of(SET), self._of(MAP)
        types: tuple[ir.Type, ...]
        if sets:
            source, types = g.pick(sets), (STR,)
        elif maps:
            source, types = g.pick(maps), (STR, MAX)
        else:
            return
        items: list[ir.Expr] = []
        for type_ in types:
            known = self._of(type_)
            if known and g.chance(40):
                items.append(ir.Var(g.pick(known)))
            else:
                items.append(ir.Var(self._fresh(type_)))
        self.literals.append(ir.Each(tuple(items), ir.Var(source)))

    def binding(self) -> None:
        expr = self.number(1)
        if isinstance(expr, (ir.Const, ir.Var)):
            expr = ir.Binary("%", ir.Binary("+", expr, ir.Const(1)), ir.Const(4))
        # the variable is named once the expression cannot mention it
        self.literals.append(ir.Condition(ir.Binary("==", ir.Var(self._fresh(INT)), expr)))

    def condition(self) -> None:
        self.literals.append(ir.Condition(self.boolean(1)))

    # ----------------------------------------------------------- expressions

    def number(self, depth: int) -> ir.Expr:
        """An int expression whose value stays within the domain, mostly."""
        g = self._g
        f = g._features
        known = [ir.Var(name) for name in self._of(INT)]
        choice = g._chooser.integer(0, 15)
        if known and (choice < 7 or depth < 0):
            return g.pick(known)
        if depth < 0 or choice < 9:
            return ir.Const(g.pick(INTS))
        if choice == 9 and self._of(SET):
            return ir.Size(ir.Var(g.pick(self._of(SET))))
        if choice == 10 and self._of(MAP):  # a bottom, where the map has no such key
            return ir.Method("at", ir.Var(g.pick(self._of(MAP))), (self.string(),))
        if choice == 10:
            return ir.Size("peers")
        if choice == 11 and f.functions:
            name = "picky" if f.failures and g.chance(4) else "folded"
            return ir.Call(name, (self.number(-1),))
        if choice == 12 and f.chance and g.chance(40):
            return ir.Binary("%", ir.TickNumber(), ir.Const(3))
        if choice == 13 and f.failures and g.chance(10):
            dividing: tuple[Any, ...] = ("//", "div", "%")
            return ir.Binary(g.pick(dividing), self.number(-1), self.number(-1))
        if choice == 15 and f.fields:
            return self.place(depth, 0, INT)
        if choice == 14 and f.failures and g.chance(4):
            return ir.Binary("*", self.number(-1), ir.Const((1 << 62) + 1))
        arithmetic: tuple[Any, ...] = ("+", "*", "-")
        op = g.pick(arithmetic)
        return ir.Binary(
            "%", ir.Binary(op, self.number(depth - 1), self.number(depth - 1)), ir.Const(4)
        )

    def place(self, depth: int, number: int, type_: ir.Type) -> ir.Expr:
        """A place of a pair (int, str): of a column, of any value (which may fail), of one
        made here."""
        g = self._g
        if self._of(PAIR) and g.chance(60):
            return ir.Field(ir.Var(g.pick(self._of(PAIR))), number, type_)
        if self._of(ANY) and g._features.failures and g.chance(25):
            return ir.Field(ir.Var(g.pick(self._of(ANY))), number, type_)
        pair = ir.TupleExpr((self.number(depth - 1), self.string()))
        return ir.Field(pair, number, type_)

    def string(self) -> ir.Expr:
        if self._of(PAIR) and self._g._features.fields and self._g.chance(20):
            return ir.Field(ir.Var(self._g.pick(self._of(PAIR))), 1, STR)
        known = self._of(STR)
        if known and self._g.chance(85):
            return ir.Var(self._g.pick(known))
        return ir.Const(self._g.pick(STRS))

    def boolean(self, depth: int) -> ir.Expr:
        g = self._g
        f = g._features
        choice = g._chooser.integer(0, 13)
        order: tuple[Any, ...] = ("<", "<=", ">", ">=", "==", "!=")
        if depth > 0 and choice == 0:
            return ir.Binary("and" if g.chance(50) else "or", self.boolean(0), self.boolean(0))
        if depth > 0 and choice == 1:
            return ir.Unary("not", self.boolean(0))
        if choice == 2 and self._of(STR):
            return ir.Binary(g.pick(order), self.string(), self.string())
        if choice == 3 and self._of(SET):
            values = ir.Var(g.pick(self._of(SET)))
            if g.chance(50):
                return ir.Method("contains", values, (self.string(),))
            return ir.Binary(g.pick(order), ir.Method("size", values), self.number(0))
        if choice in (4, 5) and (self._of(MAX) or self._of(MIN)):
            name = g.pick(self._of(MAX) + self._of(MIN))
            if g.chance(40):
                return ir.Method(g.pick(("gt", "lt_eq")), ir.Var(name), (self.number(-1),))
            return ir.Binary(g.pick(order), ir.Var(name), self.number(0))
        if choice == 6 and self._of(MAP):
            at = ir.Method("at", ir.Var(g.pick(self._of(MAP))), (self.string(),))
            return ir.Binary(g.pick(order), at, self.number(0))
        if choice == 7 and self._of(HIGHEST):
            return ir.Method("above", ir.Var(g.pick(self._of(HIGHEST))), (self.number(-1),))
        if choice == 8 and f.chance:
            return ir.Binary(g.pick(("<", ">")), ir.Now(), ir.Const(g.pick((0.5, 2.0))))
        if choice == 9 and f.chance:
            return ir.Binary("<", ir.Random(), ir.Const(0.5))
        if choice == 10 and self._of(ADDRESS):
            return ir.Binary(g.pick(("==", "!=")), ir.Var(g.pick(self._of(ADDRESS))), ir.Here())
        return ir.Binary(g.pick(order), self.number(1), self.number(0))

    # ------------------------------------------------------------------ head

    def head(self, collection: ir.Collection, op: ir.Operator) -> tuple[ir.HeadArg, ...] | None:
        g = self._g
        args: list[ir.HeadArg] = []
        aggregates = g._features.aggregates and op != "<-" and g.chance(35)
        for column in collection.columns:
            if aggregates and not column.key and g.chance(60):
                aggregate = self.aggregate(column.type)
                if aggregate is not None:
                    args.append(aggregate)
                    continue
            arg = self.of_type(column.type)
            if arg is None:
                return None
            args.append(arg)
        return tuple(args)

    def of_type(self, type_: ir.Type) -> ir.Expr | None:
        g = self._g
        known = self._of(type_)
        match type_:
            case ir.Plain("int"):
                return self.number(1)
            case ir.Plain("str"):
                return self.string()
            case ir.Plain("float"):
                if known and g.chance(50):
                    return ir.Var(g.pick(known))
                return ir.Binary("*", self.number(0), ir.Const(g.pick((1.0, 0.5))))
            case ir.Plain("Address"):
                if known and g.chance(60):
                    return ir.Var(g.pick(known))
                return ir.Here() if g.chance(50) else ir.Const(g.pick(NODES))
            case ir.Plain("Any"):
                if self.bound and g.chance(80):
                    plain = [n for n, t in self.bound.items() if not isinstance(t, ir.Lattice)]
                    if plain:
                        return ir.Var(g.pick(plain))
                return ir.TupleExpr((self.number(0), self.string()))
        if known and g.chance(60):
            return ir.Var(g.pick(known))
        if type_ == PAIR:
            return ir.TupleExpr((self.number(0), self.string()))
        return self.lattice(type_)

    def lattice(self, type_: ir.Type) -> ir.Expr | None:
        g = self._g
        match type_:
            case ir.Lattice("Max" | "Min"):
                return self.number(0)
            case ir.Lattice("Bool"):
                return ir.Binary(g.pick(("<", ">=")), self.number(0), self.number(0))
            case ir.Lattice("SetUnion"):
                if self._of(SET) and g.chance(20):
                    one = ir.SetExpr((self.string(),))
                    return ir.Binary("|", ir.Var(g.pick(self._of(SET))), one)
                return ir.SetExpr((self.string(),))
            case ir.Lattice("MapUnion"):
                return ir.MapExpr(((self.string(), self.number(0)),))
            case ir.Lattice("Lex"):
                return ir.TupleExpr((self.number(0), ir.SetExpr((self.string(),))))
            case ir.Lattice("Highest"):
                return self.number(0)
        raise TypeError(type_)

    def aggregate(self, type_: ir.Type) -> ir.Aggregate | None:
        g = self._g
        ints: list[ir.Expr] = [ir.Var(name) for name in self._of(INT)]
        strs: list[ir.Expr] = [ir.Var(name) for name in self._of(STR)]
        values = ints + strs
        if type_ in (INT, MAX, MIN):
            names: tuple[Any, ...] = ("count", "min", "max", "sum", "choose", "argmax", "argmin")
            if type_ == INT and values and g.chance(15):
                return ir.Aggregate("index", g.pick(values))
            if not ints or g.chance(20):
                return ir.Aggregate("count", g.pick(values) if values and g.chance(50) else None)
            return self._by(g.pick(names), g.pick(ints), values)
        if type_ == STR and strs:
            return self._by(
                g.pick(("min", "max", "choose", "argmax", "argmin")), g.pick(strs), values
            )
        if type_ == FLOAT and ints:
            return ir.Aggregate("avg", g.pick(ints))
        if type_ == ANY and values:
            return ir.Aggregate("collect", g.pick(values))
        return None

    def _by(self, name: ir.AggregateName, value: ir.Expr, values: list[ir.Expr]) -> ir.Aggregate:
        by = self._g.pick(values) if name in ("argmax", "argmin") else None
        return ir.Aggregate(name, value, by)


# ------------------------------------------------------------------ conditions


def _merges(collection: ir.Collection) -> bool:
    return any(isinstance(column.type, ir.Lattice) for column in collection.columns)


def _one_per_key(collection: ir.Collection, rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Without rows that conflict."""
    keys = [place for place, column in enumerate(collection.columns) if column.key]
    if not keys or _merges(collection):
        return rows
    return tuple({tuple(row[place] for place in keys): row for row in rows}.values())


def _recursive(program: ir.Program) -> bool:
    return any(_loops(program, rule) for rule in program.rules)


def _loops(program: ir.Program, rule: ir.Rule) -> set[str]:
    """The collections of the rule's body that its head feeds within the tick."""
    if rule.op != "<=":
        return set()
    group = next(set(group) for group in strata(program) if rule.head in group)
    return {edge.source for edge in edges(program, rule) if edge.source in group}


def _no_chance_in_recursion(program: ir.Program) -> bool:
    """random() is keyed by whole rows: within a recursion of growing lattice values it
    would matter when they are read."""
    types = {c.name: [column.type for column in c.columns] for c in program.collections}
    return not any(
        has_random(rule)
        and any(
            isinstance(type_, ir.Lattice) for name in _loops(program, rule) for type_ in types[name]
        )
        for rule in program.rules
    )


def has_random(part: object) -> bool:
    """Does random() stand in it?"""
    if isinstance(part, ir.Random):
        return True
    if isinstance(part, tuple):
        return any(map(has_random, part))
    if hasattr(part, "__dataclass_fields__"):
        return any(has_random(getattr(part, name)) for name in part.__dataclass_fields__)
    return False
