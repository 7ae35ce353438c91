"""Expressions and types as the nested tuples that the engine reads.

What the engine has no code for (users' functions and lattices, methods,
`random()`) is a call by number to a Python function that the reference
evaluator's own compiler made, so that both evaluators compute it alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bloomish import ir
from bloomish.lattices.structure import ARITY, structure
from bloomish.runtime.reference_expr import Expressions, Failure
from bloomish.values import Values

ANY = ir.Plain("Any")

Data = tuple[Any, ...]

PLAIN = {
    "int": "int",
    "float": "float",
    "str": "str",
    "Address": "str",
    "bytes": "bytes",
    "bool": "bool",
    "Any": "any",
}
MEASURED = ("SetUnion", "MapUnion", "Antichain")
"""Lattices whose size is the length of their carrier."""


class Externs:
    """The Python behind a plan, by number."""

    def __init__(self, program: ir.Program, values: Values, expressions: Expressions) -> None:
        self.functions: list[Callable[..., Any]] = []
        self.merges: list[Callable[[Any, Any], Any]] = []
        self.misfits: list[Callable[[object], str]] = []
        self.columns = {
            c.name: tuple(column.type for column in c.columns) for c in program.collections
        }
        self.untyped: set[int] = set()  # relations of the plan's own making
        self.values = values
        self.expressions = expressions
        for decl in program.lattices:
            self.merges.append(values.operations(ir.Lattice(decl.name)).merge)

    def function(self, function: Callable[..., Any]) -> int:
        self.functions.append(function)
        return len(self.functions) - 1

    def field(self, place: int, type_: ir.Type, lattice: bool) -> int:
        """The number of the text that a value without such a place is told."""
        read = self.expressions.field(place, type_, lattice)

        def text(value: object) -> str:
            try:
                read(value)
            except Failure as failure:
                return str(failure)
            return f"field({value!r}, {place}, ...): it does not fit"

        self.misfits.append(text)
        return len(self.misfits) - 1

    def misfit(self, collection: str, column: str, type_: ir.Type) -> int:
        """The number of the text that a value of another type is told."""
        conform = self.values.conform(type_)

        def text(value: object) -> str:
            try:
                conform(value)
            except ValueError as misfit:
                return f"{collection}.{column}: {misfit}"
            return f"{collection}.{column}: {value!r} does not fit"

        self.misfits.append(text)
        return len(self.misfits) - 1


def type_data(values: Values, type_: ir.Type) -> Data:
    """A type over plain types and the structural lattices."""
    if isinstance(type_, ir.Plain):
        return (PLAIN[type_.name],)
    if isinstance(type_, ir.TupleOf):
        return ("tuple", *(type_data(values, item) for item in type_.items))
    if type_.name not in ARITY:
        decl = values.declaration(type_)
        number = list(values.declared).index(decl.name)
        bottom = values.operations(type_).bottom
        return ("user", number, bottom, type_data(values, decl.carrier))
    core = structure(type_)
    return (core.name, *(type_data(values, arg) for arg in core.args))


class Compiler:
    """Compiles the expressions of one rule; `register` finds a variable's register."""

    def __init__(
        self,
        externs: Externs,
        types: Mapping[str, ir.Type],
        rule: str,
        register: Callable[[str], int],
        trail: Callable[[], list[int]],
    ) -> None:
        self._externs = externs
        self._types = types
        self._rule = rule
        self._register = register
        self._trail = trail

    def __call__(self, expr: ir.Expr) -> Data:
        match expr:
            case ir.Var(name):
                return ("reg", self._register(name))
            case ir.Const(value):
                return ("const", self._externs.values.conform(ANY)(value))
            case ir.Unary("-", operand):
                return ("neg", self(operand))
            case ir.Unary(_, operand):
                return ("not", self(operand))
            case ir.Binary("|", left, right):
                return self._merge(expr, left, right)
            case ir.Binary(op, left, right):
                return ("binary", op, self(left), self(right))
            case ir.Here():
                return ("here",)
            case ir.Now():
                return ("now",)
            case ir.TickNumber():
                return ("tick",)
            case ir.TupleExpr(items):
                return ("tuple", [self(item) for item in items])
            case ir.SetExpr(items):
                return ("set", [self(item) for item in items])
            case ir.MapExpr(items):
                return ("map", [(self(key), self(value)) for key, value in items])
            case ir.Field(of, place, type_):
                known = self._externs.expressions.lattice(of, self._types) is not None
                misfit = self._externs.field(place, type_, known)
                data = type_data(self._externs.values, type_)
                return ("field", place, data, misfit, known, self(of))
            case ir.Random():
                return self._random()
            case ir.Size(str() as roster):
                return ("const", self._externs.expressions.moment.rosters[roster])
            case ir.Size(of):
                return self._size(expr, of)  # type: ignore[arg-type]
            case ir.Call(name, args):
                return self._python(ir.Call(name, self._names(len(args))), args)
            case ir.Method(name, receiver, ()) if (part := self._part(name, receiver)) is not None:
                return part
            case ir.Method(name, receiver, args):
                inside = self._names(1 + len(args))
                method = ir.Method(name, inside[0], inside[1:])
                return self._python(method, (receiver, *args))
        raise TypeError(f"{expr!r} has no value")

    def _names(self, count: int) -> tuple[ir.Var, ...]:
        return tuple(ir.Var(f"_{place}") for place in range(count))

    def _python(self, expr: ir.Expr, args: tuple[ir.Expr, ...]) -> Data:
        """An expression over values that the engine has computed."""
        expressions = self._externs.expressions
        slots = {f"_{place}": place for place in range(len(args))}
        types = {f"_{p}": expressions.type(arg, self._types) for p, arg in enumerate(args)}
        compiled = expressions.compile(expr, slots, types, self._rule)
        number = self._externs.function(lambda *values: compiled(values))
        return ("call", number, [self(arg) for arg in args])

    def _part(self, name: str, receiver: ir.Expr) -> Data | None:
        """The version or value of a Lex: a place of its carrier, which is often a big tuple."""
        lattice = self._externs.expressions.lattice(receiver, self._types)
        if lattice is None or lattice.name != "Lex" or name not in ("version", "value"):
            return None
        place = ("version", "value").index(name)
        part = lattice.args[place]
        if not isinstance(part, ir.Lattice) or structure(part).name not in ("Max", "Min"):
            return None  # its bottom is another than the whole's
        number = self._externs.misfit(self._rule, name, part)
        data = type_data(self._externs.values, part)
        return ("field", place, data, number, True, self(receiver))

    def _merge(self, expr: ir.Binary, left: ir.Expr, right: ir.Expr) -> Data:
        lattice = self._externs.expressions.lattice(expr, self._types)
        if lattice is None:
            return ("merge", None, self(left), self(right))
        data = type_data(self._externs.values, lattice)
        misfit = self._externs.misfit(self._rule, "|", lattice)
        return (
            "merge",
            data,
            ("conform", data, misfit, self(left)),
            ("conform", data, misfit, self(right)),
        )

    def _size(self, expr: ir.Size, of: ir.Expr) -> Data:
        lattice = self._externs.expressions.lattice(of, self._types)
        if lattice is None or structure(lattice).name in MEASURED:
            return ("size", self(of))
        return self._python(ir.Size(ir.Var("_0")), (of,))

    def _random(self) -> Data:
        expressions, rule = self._externs.expressions, self._rule
        trail = self._trail()
        slots = list(range(len(trail)))
        compiled = expressions.compile(ir.Random(), {}, {}, rule, slots)

        def random(tick: int, *body: object) -> Any:
            expressions.moment.tick = tick
            return compiled(body)

        args = [("tick",), *(("reg", register) for register in trail)]
        return ("call", self._externs.function(random), args)
