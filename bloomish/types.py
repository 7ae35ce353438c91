"""The types of a rule's variables and expressions, checked.

A variable has one type throughout a rule.  `Any` agrees with everything when
rows are matched, str with Address, and a Max, Min or Bool lattice with the
plain type that carries it (a value read from such a column is used as that).
Into a column goes exactly its type; an int goes into a float column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bloomish import ir
from bloomish.errors import ProgramError
from bloomish.lattices.methods import NoSuchMethod, method_of
from bloomish.lattices.structure import ARITY, expand
from bloomish.pretty import expr_text
from bloomish.schema import Schema, schema_of
from bloomish.values import Misfit, Values, type_text

ANY = ir.Plain("Any")
INT = ir.Plain("int")
FLOAT = ir.Plain("float")
STR = ir.Plain("str")
BYTES = ir.Plain("bytes")
BOOL = ir.Plain("bool")
ADDRESS = ir.Plain("Address")
NUMBERS = (INT, FLOAT)
TEXTS = (STR, ADDRESS)
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


class Clash(Exception):
    """Two types that cannot be one, an operation that a type does not have."""

    def __init__(self, what: str, mend: str = "") -> None:
        super().__init__(what, mend)
        self.what = what
        self.mend = mend


def plain(type_: ir.Type) -> ir.Type:
    """What a value is when it is compared or computed with: Max(int) counts as int."""
    if isinstance(type_, ir.Lattice):
        if type_.name in ("Max", "Min") and type_.args:
            return plain(type_.args[0])
        if type_.name == "Bool":
            return BOOL
    return type_


def meet(one: ir.Type, two: ir.Type) -> ir.Type | None:
    """The type of a variable that stands in a column of each; None if there is none."""
    if one == two or two == ANY:
        return one
    if one == ANY:
        return two
    if one in TEXTS and two in TEXTS:
        return ADDRESS
    if isinstance(one, ir.Lattice) and plain(one) != one:
        return one if meet(plain(one), plain(two)) is not None else None
    if isinstance(two, ir.Lattice) and plain(two) != two:
        return two if meet(one, plain(two)) is not None else None
    if isinstance(one, ir.TupleOf) and isinstance(two, ir.TupleOf):
        if len(one.items) != len(two.items):
            return None
        items = [meet(a, b) for a, b in zip(one.items, two.items, strict=True)]
        found = tuple(item for item in items if item is not None)
        return ir.TupleOf(found) if len(found) == len(items) else None
    if isinstance(one, ir.Lattice) and isinstance(two, ir.Lattice):
        left, right = expand(one), expand(two)
        if left.name == right.name and len(left.args) == len(right.args):
            if all(meet(a, b) is not None for a, b in zip(left.args, right.args, strict=True)):
                return one
    return None


def join(one: ir.Type, two: ir.Type) -> ir.Type:
    """A type that has both values, `Any` if no better one does."""
    if one == two:
        return one
    if one in TEXTS and two in TEXTS:
        return STR
    return ANY


def comparable(one: ir.Type, two: ir.Type) -> bool:
    """Can values of these types be equal or ordered with a meaning?"""
    one, two = plain(one), plain(two)
    if one in NUMBERS and two in NUMBERS:
        return True
    if isinstance(one, ir.TupleOf) and isinstance(two, ir.TupleOf):
        pairs = zip(one.items, two.items, strict=False)
        return all(comparable(a, b) for a, b in pairs)
    return meet(one, two) is not None


def fits(value: ir.Type, column: ir.Type) -> bool:
    """May a value of this type go into the column?"""
    if value == column or column == ANY:
        # a lattice value in a plain column is its carrier
        return True
    if isinstance(column, ir.Lattice):
        return _lifts(value, column)
    value = plain(value)
    if value == column or (value in TEXTS and column in TEXTS):
        return True
    if value == INT and column == FLOAT:
        return True
    if isinstance(value, ir.TupleOf) and isinstance(column, ir.TupleOf):
        return len(value.items) == len(column.items) and all(
            fits(a, b) for a, b in zip(value.items, column.items, strict=True)
        )
    return False


def _lifts(value: ir.Type, lattice: ir.Lattice) -> bool:
    """A lattice's own value, or the plain value that it lifts."""
    core = expand(lattice)
    if isinstance(value, ir.Lattice):
        mine = expand(value)
        if mine.name == core.name and len(mine.args) == len(core.args):
            return all(
                a == b or (isinstance(b, ir.Lattice) and fits(a, b)) or fits(a, b)
                for a, b in zip(mine.args, core.args, strict=True)
            )
        if core.name not in ("Max", "Min", "Bool"):
            return False
    match core.name:
        case "Max" | "Min":
            return fits(value, core.args[0])
        case "Bool":
            return plain(value) == BOOL
        case "Pair" | "Lex":
            return isinstance(value, ir.TupleOf) and fits(value, ir.TupleOf(core.args))
        case "Antichain":
            return False
    return False


class Typing:
    """The types of one program's rules."""

    def __init__(self, program: ir.Program | Schema, values: Values | None = None) -> None:
        self.schema = schema_of(program)
        self.values = values or Values(self.schema.program.lattices)

    # ---------------------------------------------------------------- variables

    def rule(self, rule: ir.Rule) -> dict[str, ir.Type]:
        """Every variable's type; raises ProgramError where two uses disagree."""
        found: dict[str, ir.Type] = {}
        source: dict[str, str] = {}

        def give(name: str, type_: ir.Type, where: str) -> None:
            known = found.get(name)
            if known is None:
                found[name], source[name] = type_, where
                return
            met = meet(known, type_)
            if met is None:
                raise Clash(
                    f"`{name}` is {type_text(known)} in {source[name]} and {type_text(type_)} "
                    f"in {where}",
                    _clash_mend(name, known, type_),
                )
            if met != known:
                found[name], source[name] = met, where

        try:
            for literal in rule.body:
                if isinstance(literal, ir.Atom) and not literal.negated:
                    for name, type_, where in self._places(literal):
                        give(name, type_, where)
            self._bindings(rule, found, give)
            for literal in rule.body:
                if isinstance(literal, ir.Atom) and literal.negated:
                    for name, type_, where in self._places(literal):
                        give(name, type_, where)
        except Clash as clash:
            raise ProgramError(rule.span, clash.what, clash.mend) from None
        return found

    def _places(self, atom: ir.Atom) -> Iterator[tuple[str, ir.Type, str]]:
        columns = self.schema.collections[atom.collection].columns
        for column, arg in zip(columns, atom.args, strict=True):
            if isinstance(arg, ir.Var):
                yield arg.name, column.type, f"the column `{column.name}` of `{atom.collection}`"

    def _bindings(self, rule: ir.Rule, found: dict[str, ir.Type], give: object) -> None:
        """Variables that `each` and `==` bind; as often as one may wait for another."""
        assert callable(give)
        waiting: list[ir.Literal] = [
            literal
            for literal in rule.body
            if isinstance(literal, ir.Each) or _equality(literal) is not None
        ]
        while waiting:
            later: list[ir.Literal] = []
            for literal in waiting:
                if isinstance(literal, ir.Each):
                    if not _known(literal.source, found):
                        later.append(literal)
                        continue
                    elements = self.elements(self.expr(literal.source, found), literal)
                    for item, type_ in zip(literal.items, elements, strict=True):
                        if isinstance(item, ir.Var):
                            give(item.name, type_, f"`each` over `{expr_text(literal.source)}`")
                    continue
                equality = _equality(literal)
                assert equality is not None
                bound = False
                for left, right in (equality, equality[::-1]):
                    if isinstance(left, ir.Var) and left.name not in found and _known(right, found):
                        type_ = self.expr(right, found)
                        give(left.name, type_, f"`{expr_text(left)} == {expr_text(right)}`")
                        bound = True
                        break
                if not bound and not (_known(equality[0], found) and _known(equality[1], found)):
                    later.append(literal)
            if len(later) == len(waiting):
                return  # unbound: for safety to say
            waiting = later

    def elements(self, type_: ir.Type, each: ir.Each) -> tuple[ir.Type, ...]:
        """What `each` ranges over."""
        text = expr_text(each.source)
        items: tuple[ir.Type, ...]
        if isinstance(type_, ir.Lattice):
            core = expand(type_)
            if core.name == "SetUnion":
                items = core.args
            elif core.name == "MapUnion":
                items = core.args
            elif core.name == "Antichain":
                items = (ir.TupleOf(core.args),)
            elif plain(type_) != type_:
                return self.elements(plain(type_), each)
            else:
                raise Clash(
                    f"`each` over `{text}`, which is {type_text(type_)}",
                    "it ranges over SetUnion and MapUnion values and tuples",
                )
        elif isinstance(type_, ir.TupleOf):
            first = type_.items[0]
            for item in type_.items[1:]:
                first = join(first, item)
            items = (first,)
        elif type_ == ANY:
            items = (ANY,) * len(each.items)
        else:
            raise Clash(
                f"`each` over `{text}`, which is {type_text(type_)}",
                "it ranges over SetUnion and MapUnion values and tuples",
            )
        if len(items) != len(each.items):
            mend = f"each(k, v, {text})" if len(items) == 2 else f"each(x, {text})"
            raise Clash(
                f"`each` gives {len(items)} for every element of `{text}`, "
                f"which is {type_text(type_)}, not {len(each.items)}",
                f"write `{mend}`",
            )
        return items

    # -------------------------------------------------------------- expressions

    def expr(self, expr: ir.Expr, variables: Mapping[str, ir.Type]) -> ir.Type:
        """An expression's type; raises Clash.  Unbound variables are `Any` here."""
        match expr:
            case ir.Var(name):
                return variables.get(name, ANY)
            case ir.Wild():
                return ANY
            case ir.Const(value):
                return constant(value)
            case ir.Unary("-", operand):
                type_ = plain(self.expr(operand, variables))
                if type_ in NUMBERS or type_ == ANY:
                    return type_
                raise Clash(f"`-{expr_text(operand)}`: {type_text(type_)} has no minus")
            case ir.Unary(_, operand):
                self._boolean(operand, variables, "not_")
                return BOOL
            case ir.Binary(op, left, right):
                return self._binary(op, left, right, variables)
            case ir.Call(name, args):
                return self._call(name, args, variables)
            case ir.Method():
                return self._method(expr, variables)
            case ir.Size(of):
                return self._size(of, variables)
            case ir.Here():
                return ADDRESS
            case ir.Now() | ir.Random():
                return FLOAT
            case ir.TickNumber():
                return INT
            case ir.TupleExpr(items):
                return ir.TupleOf(tuple(self.expr(item, variables) for item in items))
            case ir.SetExpr(items):
                return ir.Lattice("SetUnion", (self._common(items, variables),))
            case ir.MapExpr(pairs):
                keys = self._common(tuple(k for k, _ in pairs), variables)
                values = self._common(tuple(v for _, v in pairs), variables)
                return ir.Lattice("MapUnion", (keys, values))
            case ir.Field():
                return self._field(expr, variables)
        raise TypeError(f"not an expression: {expr!r}")

    def _common(self, items: tuple[ir.Expr, ...], variables: Mapping[str, ir.Type]) -> ir.Type:
        types = [self.expr(item, variables) for item in items]
        if not types:
            return ANY
        found = types[0]
        for type_ in types[1:]:
            found = join(found, type_)
        return found

    def _binary(
        self, op: str, left: ir.Expr, right: ir.Expr, variables: Mapping[str, ir.Type]
    ) -> ir.Type:
        if op in ("and", "or"):
            for side in (left, right):
                self._boolean(side, variables, "either" if op == "or" else "&")
            return BOOL
        one, two = self.expr(left, variables), self.expr(right, variables)
        text = f"{expr_text(left)} {op} {expr_text(right)}"
        if op in COMPARISONS:
            if not (comparable(one, two) or self._literal_fits(left, one, right, two)):
                mend = "compare values of one type; convert in a function marked @function"
                for side, type_ in ((left, one), (right, two)):
                    if isinstance(type_, ir.Lattice) and plain(type_) == type_:
                        mend = f"how many elements it has is `size({expr_text(side)})`"
                raise Clash(f"`{text}` compares {type_text(one)} with {type_text(two)}", mend)
            return BOOL
        if op == "|":
            met = meet(one, two)
            if met is None or not (
                isinstance(one, ir.Lattice) or isinstance(two, ir.Lattice) or met == ANY
            ):
                raise Clash(
                    f"`{text}`: `|` merges two values of one lattice, and these are "
                    f"{type_text(one)} and {type_text(two)}",
                    "for a choice between conditions write `either(x < y, x == 0)`",
                )
            return met
        one, two = plain(one), plain(two)
        if ANY in (one, two):
            return FLOAT if op == "/" else ANY
        if one in NUMBERS and two in NUMBERS:
            if op == "div" and FLOAT in (one, two):
                raise Clash(f"`{text}`: `div` is for ints", "write `/` or `//`")
            if op == "/" or FLOAT in (one, two):
                return FLOAT
            return INT
        if op == "+":
            if one in TEXTS and two in TEXTS:
                return STR
            if one == BYTES and two == BYTES:
                return BYTES
            if isinstance(one, ir.TupleOf) and isinstance(two, ir.TupleOf):
                return ir.TupleOf(one.items + two.items)
        mend = "arithmetic takes numbers; `+` also joins two str, bytes or tuples"
        if BOOL in (one, two):
            mend = "a bool is not a number; count rows with `count()`"
        elif isinstance(one, ir.Lattice) or isinstance(two, ir.Lattice):
            mend = "lattice values merge by `|`; their size is `size(x)`"
        raise Clash(f"`{text}`: no `{op}` of {type_text(one)} and {type_text(two)}", mend)

    def _literal_fits(self, left: ir.Expr, one: ir.Type, right: ir.Expr, two: ir.Type) -> bool:
        """A constant against a lattice value: `voters == {"a"}`, `cell == None`."""
        for expr, type_ in ((left, two), (right, one)):
            if isinstance(type_, ir.Lattice) and self._problem(expr, type_, {}) is None:
                return True
        return False

    def _boolean(self, test: ir.Expr, variables: Mapping[str, ir.Type], of: str) -> None:
        type_ = plain(self.expr(test, variables))
        if type_ not in (BOOL, ANY):
            raise Clash(
                f"`{expr_text(test)}` is {type_text(type_)}, where `{of}` takes a condition",
                "compare it with something",
            )

    def _call(
        self, name: str, args: tuple[ir.Expr, ...], variables: Mapping[str, ir.Type]
    ) -> ir.Type:
        decl = self.schema.functions.get(name)
        if decl is None:
            raise Clash(f"the function `{name}` is not declared", "mark it @function")
        if len(args) != len(decl.params):
            raise Clash(f"`{name}` has {len(decl.params)} parameters and is given {len(args)}")
        for number, (arg, param) in enumerate(zip(args, decl.params, strict=True), 1):
            problem = self._problem(arg, param, variables)
            if problem is not None:
                raise Clash(
                    f"parameter {number} of `{name}` is {type_text(param)} and `{expr_text(arg)}` "
                    f"is {problem}",
                    f"change the annotation of `{name}`, or the column",
                )
        return decl.result

    def _method(self, expr: ir.Method, variables: Mapping[str, ir.Type]) -> ir.Type:
        receiver = self.expr(expr.receiver, variables)
        args = tuple(self.expr(arg, variables) for arg in expr.args)
        text = expr_text(expr.receiver)
        if receiver == ANY:
            return ANY
        if not isinstance(receiver, ir.Lattice):
            raise Clash(
                f"`{text}.{expr.name}(...)`: `{text}` is {type_text(receiver)}, "
                "and only lattice values have methods",
                "compute it in a function marked @function",
            )
        try:
            method = method_of(self.schema.lattices, receiver, expr.name)
        except NoSuchMethod as error:
            what, _, mend = str(error).partition("; ")
            raise Clash(f"`{expr_text(expr)}`: {what}", mend) from None
        if receiver.name in ARITY:
            wanted = method.parameters(receiver)
            if len(wanted) != len(args):
                raise Clash(
                    f"`{text}.{expr.name}()` takes {len(wanted)} arguments and is given {len(args)}"
                )
            for arg, type_ in zip(expr.args, wanted, strict=True):
                problem = self._problem(arg, type_, variables)
                if problem is not None and not comparable(self.expr(arg, variables), type_):
                    raise Clash(
                        f"`{text}.{expr.name}()` takes {type_text(type_)}, "
                        f"and `{expr_text(arg)}` is {problem}"
                    )
        return method.result(receiver, args)

    def _field(self, expr: ir.Field, variables: Mapping[str, ir.Type]) -> ir.Type:
        of, text = plain(self.expr(expr.of, variables)), expr_text(expr.of)
        if of == ANY:
            return expr.type
        if not isinstance(of, ir.TupleOf):
            raise Clash(
                f"`{expr_text(expr)}`: `{text}` is {type_text(of)}",
                "field() takes tuples apart; lattice values have methods"
                if isinstance(of, ir.Lattice)
                else f"field() takes tuples apart: use `{text}` as it is",
            )
        count = len(of.items)
        if expr.place >= count:
            raise Clash(
                f"`{expr_text(expr)}`: `{text}` is {type_text(of)} and has no such place",
                f"places count from 0: its last one is {count - 1}",
            )
        item = of.items[expr.place]
        if not fits(item, expr.type) and meet(item, expr.type) is None:
            raise Clash(
                f"`{expr_text(expr)}`: that place of `{text}` is {type_text(item)}",
                f"write `field({text}, {expr.place}, {type_text(item)})`",
            )
        return expr.type

    def _size(self, of: ir.Expr | str, variables: Mapping[str, ir.Type]) -> ir.Type:
        if isinstance(of, str):
            found = self.schema.collections.get(of)
            if found is None or found.kind != "roster":
                raise Clash(f"`size({of})`: `{of}` is not a roster of this program")
            return INT
        type_ = self.expr(of, variables)
        if type_ == ANY:
            return INT
        if isinstance(type_, ir.Lattice):
            core = expand(type_)
            if core.name in ("SetUnion", "MapUnion", "Antichain") or core.name not in ARITY:
                return INT
        raise Clash(
            f"`size({expr_text(of)})`: `{expr_text(of)}` is {type_text(type_)}",
            "size() takes sets and maps (SetUnion, MapUnion) and rosters; "
            "count rows with `count()` in a head",
        )

    # -------------------------------------------------------------------- columns

    def _problem(
        self, expr: ir.Expr, column: ir.Type, variables: Mapping[str, ir.Type]
    ) -> str | None:
        """Why this expression cannot go into the column (what it is instead)."""
        if isinstance(expr, ir.Const):
            try:
                self.values.lift(expr.value, column)
            except Misfit:
                return "no value" if expr.value is None else type_text(constant(expr.value))
            return None
        if isinstance(column, ir.TupleOf) and isinstance(expr, ir.TupleExpr):
            return self._parts(expr, expr.items, column.items, variables)
        if isinstance(column, ir.Lattice):
            core = expand(column)
            match core.name, expr:
                case "SetUnion", ir.SetExpr(items):
                    return self._parts(expr, items, core.args * len(items), variables)
                case "Antichain", ir.SetExpr(items):
                    pair = ir.TupleOf(core.args)
                    return self._parts(expr, items, (pair,) * len(items), variables)
                case "MapUnion", ir.MapExpr(pairs):
                    flat = tuple(part for pair in pairs for part in pair)
                    return self._parts(expr, flat, core.args * len(pairs), variables)
                case "Pair" | "Lex", ir.TupleExpr(items):
                    return self._parts(expr, items, core.args, variables)
        type_ = self.expr(expr, variables)
        if isinstance(column, ir.Lattice) and column.name in self.schema.lattices:
            # what carries a user's lattice is lifted into it
            if fits(type_, self.schema.lattices[column.name].carrier):
                return None
        return None if fits(type_, column) else type_text(type_)

    def _parts(
        self,
        expr: ir.Expr,
        items: tuple[ir.Expr, ...],
        types: tuple[ir.Type, ...],
        variables: Mapping[str, ir.Type],
    ) -> str | None:
        if len(items) == len(types) and all(
            self._problem(item, type_, variables) is None
            for item, type_ in zip(items, types, strict=True)
        ):
            return None
        return type_text(self.expr(expr, variables))

    def aggregate(self, aggregate: ir.Aggregate, variables: Mapping[str, ir.Type]) -> ir.Type:
        """The type of what an aggregate makes."""
        value = ANY if aggregate.value is None else self.expr(aggregate.value, variables)
        if aggregate.by is not None:
            self.expr(aggregate.by, variables)
        match aggregate.name:
            case "count" | "index":
                return INT
            case "collect":
                return ANY
            case "sum" | "avg":
                value = plain(value)
                if value not in (*NUMBERS, ANY):
                    raise Clash(
                        f"`{expr_text(aggregate)}`: `{expr_text(aggregate.value or ir.Wild())}` "
                        f"is {type_text(value)}",
                        "sum_ and avg take numbers",
                    )
                return FLOAT if aggregate.name == "avg" else value
        return value

    def check(self, rule: ir.Rule) -> dict[str, ir.Type]:
        """Check the whole rule; gives the variables' types."""
        variables = self.rule(rule)
        try:
            for literal in rule.body:
                self._literal(literal, variables)
            self._head(rule, variables)
        except Clash as clash:
            raise ProgramError(rule.span, clash.what, clash.mend) from None
        return variables

    def _literal(self, literal: ir.Literal, variables: Mapping[str, ir.Type]) -> None:
        match literal:
            case ir.Atom(collection, args):
                columns = self.schema.collections[collection].columns
                for column, arg in zip(columns, args, strict=True):
                    if isinstance(arg, (ir.Var, ir.Wild)):
                        continue
                    problem = self._problem(arg, column.type, variables)
                    if problem is not None:
                        type_ = self.expr(arg, variables)
                        if not isinstance(arg, ir.Const) and comparable(type_, column.type):
                            continue
                        raise Clash(
                            f"the column `{column.name}` of `{collection}` is "
                            f"{type_text(column.type)}, and `{expr_text(arg)}` is {problem}",
                            f"match it with a value of {type_text(column.type)}",
                        )
            case ir.Condition(test):
                self._boolean(test, variables, "a body")
            case ir.Each(items, source):
                elements = self.elements(self.expr(source, variables), literal)
                for item, type_ in zip(items, elements, strict=True):
                    if isinstance(item, (ir.Var, ir.Wild)):
                        continue
                    mine = self.expr(item, variables)
                    if not comparable(mine, type_):
                        raise Clash(
                            f"`each` over `{expr_text(source)}` gives {type_text(type_)}, "
                            f"and `{expr_text(item)}` is {type_text(mine)}"
                        )

    def _head(self, rule: ir.Rule, variables: Mapping[str, ir.Type]) -> None:
        for column, arg in zip(self.schema.collections[rule.head].columns, rule.args, strict=True):
            problem: str | None
            if isinstance(arg, ir.Aggregate):
                type_ = self.aggregate(arg, variables)
                problem = None if fits(type_, column.type) else type_text(type_)
                if problem is not None and arg.name == "collect":
                    raise Clash(
                        f"`{expr_text(arg)}` makes a tuple of any length, and the column "
                        f"`{column.name}` of `{rule.head}` is {type_text(column.type)}",
                        f"declare the column `{column.name}=Any`; or, for a set that grows, "
                        "`SetUnion(...)` and `{x}` in the head",
                    )
            else:
                problem = self._problem(arg, column.type, variables)
            if problem is not None:
                raise Clash(
                    f"the column `{column.name}` of `{rule.head}` is {type_text(column.type)}, "
                    f"and `{expr_text(arg)}` is {problem}",
                    _head_mend(arg, column, problem),
                )


def _head_mend(arg: ir.HeadArg, column: ir.Column, problem: str) -> str:
    text = expr_text(arg)
    if problem == "no value":
        return "leave the row out; None is nothing but the bottom of some lattices"
    if problem == "Any":
        return f"declare what it comes from as {type_text(column.type)}, or pass it through a " + (
            "function marked @function with that result"
        )
    if isinstance(column.type, ir.Lattice):
        core = expand(column.type)
        if core.name == "SetUnion" and not isinstance(arg, ir.SetExpr):
            return f"one element is written `{{{text}}}`"
        if core.name == "MapUnion" and not isinstance(arg, ir.MapExpr):
            return f"one entry is written `{{key: {text}}}`"
    return f"give it a value of {type_text(column.type)}, or change the column's type"


def _clash_mend(name: str, one: ir.Type, two: ir.Type) -> str:
    if plain(one) in NUMBERS and plain(two) in NUMBERS:
        return f"use two variables and compare them: `({name} == other)`"
    return "use two variables, or give the columns one type"


def _equality(literal: ir.Literal) -> tuple[ir.Expr, ir.Expr] | None:
    if isinstance(literal, ir.Condition) and isinstance(literal.test, ir.Binary):
        if literal.test.op == "==":
            return literal.test.left, literal.test.right
    return None


def _known(expr: ir.Expr, found: Mapping[str, ir.Type]) -> bool:
    from bloomish.safety import variables_of

    return variables_of(expr) <= found.keys()


def constant(value: object) -> ir.Type:
    """The type of a constant."""
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return INT
    if isinstance(value, float):
        return FLOAT
    if isinstance(value, str):
        return STR
    if isinstance(value, bytes):
        return BYTES
    if isinstance(value, tuple):
        return ir.TupleOf(tuple(constant(item) for item in value))
    if isinstance(value, frozenset):
        types = {constant(item) for item in value}
        return ir.Lattice("SetUnion", (types.pop() if len(types) == 1 else ANY,))
    return ANY


def rule_types(program: ir.Program | Schema, rule: ir.Rule) -> dict[str, ir.Type]:
    """The types of a rule's variables; raises ProgramError where uses disagree."""
    return Typing(program).rule(rule)


def expr_type(
    program: ir.Program | Schema, expr: ir.HeadArg, variables: Mapping[str, ir.Type]
) -> ir.Type:
    """The type of an expression or aggregate, given its variables' types."""
    typing = Typing(program)
    try:
        if isinstance(expr, ir.Aggregate):
            return typing.aggregate(expr, variables)
        return typing.expr(expr, variables)
    except Clash as clash:
        raise ProgramError(ir.Span(text=expr_text(expr)), clash.what, clash.mend) from None
