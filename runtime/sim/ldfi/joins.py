"""A rule compiled to a Python function that finds its matches by nested loops.

LDFI runs one small program hundreds of times, so rules become code: one loop
per positive atom over an index on the columns bound so far, one test per
comparison and negated atom as soon as it can be taken.  A match keeps the body
rows it used; that is the provenance.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from bloomish import ir
from bloomish.errors import ProgramError
from bloomish.order import order_key

Row = tuple[Any, ...]


class Match(NamedTuple):
    """`head` is the head row, or (group, values) under aggregates.

    `rows` are the rows of the positive atoms in body order; `place` is the
    node at which the rule fired (None: it names none).
    """

    head: Row
    rows: tuple[Row, ...]
    place: object


class Content(Protocol):
    """What rule code reads: the rows of a collection at this tick or an absolute one."""

    def rows(self, collection: str, at: int | None) -> Collection[Row]: ...

    def by(
        self, collection: str, at: int | None, columns: tuple[int, ...]
    ) -> Mapping[Any, Sequence[Row]]: ...


Finder = Callable[[Content, Collection[object]], list[Match]]


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its code, and what the lineage needs to know of its body."""

    rule: ir.Rule
    find: Finder
    positive: tuple[ir.Atom, ...]
    negative: tuple[ir.Atom, ...]
    aggregates: tuple[ir.Aggregate, ...]


def compile_rule(rule: ir.Rule) -> CompiledRule:
    """The code of one rule of a Dedalus program."""
    atoms = [part for part in rule.body if isinstance(part, ir.Atom)]
    return CompiledRule(
        rule,
        _Writer(rule).finder(),
        tuple(atom for atom in atoms if not atom.negated),
        tuple(atom for atom in atoms if atom.negated),
        tuple(arg for arg in rule.args if isinstance(arg, ir.Aggregate)),
    )


class _Writer:
    """Writes the function's source, and keeps which variables are bound."""

    def __init__(self, rule: ir.Rule) -> None:
        self.rule = rule
        self.names: dict[str, str] = {}
        self.bound: set[str] = set()
        self.setup: list[str] = []
        self.lines: list[str] = []
        self.depth = 1
        self.numbers = {
            id(atom): number
            for number, atom in enumerate(
                part for part in rule.body if isinstance(part, ir.Atom) and not part.negated
            )
        }
        self.later: list[tuple[str, ir.Expr]] = []

    # ----------------------------------------------------------------- shape

    def finder(self) -> Finder:
        place = location(self.rule)
        left: list[ir.Literal] = list(self.rule.body)
        checked = isinstance(place, ir.Wild)
        while True:
            left = self.tests(left)
            if not checked and self.ready(place):
                self.open(f"if {self.code(place)} in alive:")
                checked = True
            if not left:
                break
            atom = self.next_atom(left)
            left.remove(atom)
            self.loop(atom)
        self.write(f"out.append(Match({self.head()}, {self.used()}, {self.place(place)}))")
        source = "\n".join(
            ["def find(content, alive):", "    out = []"]
            + [f"    {line}" for line in self.setup]
            + self.lines
            + ["    return out"]
        )
        scope: dict[str, Any] = {"Match": Match, "div": divide, "less": less}
        exec(compile(source, f"<rule {self.rule.name}>", "exec"), scope)
        finder: Finder = scope["find"]
        return finder

    def tests(self, left: list[ir.Literal]) -> list[ir.Literal]:
        """Writes whatever can be decided with the variables bound so far."""
        waiting = left
        while True:
            rest = [part for part in waiting if not self.test(part)]
            if len(rest) == len(waiting):
                return rest
            waiting = rest

    def test(self, part: ir.Literal) -> bool:
        if isinstance(part, ir.Condition):
            return self.condition(part)
        if isinstance(part, ir.Atom) and part.negated:
            if not all(self.ready(arg) for arg in part.args):
                return False
            self.absent(part)
            return True
        return False

    def next_atom(self, left: Sequence[ir.Literal]) -> ir.Atom:
        """The positive atom with most columns bound; the first among equals."""
        atoms = [part for part in left if isinstance(part, ir.Atom) and not part.negated]
        if not atoms:
            raise ProgramError(self.rule.span, "a variable of this rule is never bound")

        def score(atom: ir.Atom) -> int:
            known = [self.ready(arg) and not isinstance(arg, ir.Wild) for arg in atom.args]
            return 2 * sum(known) + all(known)

        return max(atoms, key=score)

    # ----------------------------------------------------------------- lines

    def write(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def open(self, line: str) -> None:
        self.write(line)
        self.depth += 1

    def loop(self, atom: ir.Atom) -> None:
        number = self.numbers[id(atom)]
        known = [
            (position, self.code(arg))
            for position, arg in enumerate(atom.args)
            if not isinstance(arg, ir.Wild) and self.ready(arg)
        ]
        where = f"{atom.collection!r}, {atom.at!r}"
        row = f"r{number}"
        if len(known) == len(atom.args):
            self.setup.append(f"all{number} = content.rows({where})")
            self.write(f"{row} = {_tuple([code for _, code in known])}")
            self.open(f"if {row} in all{number}:")
        elif known:
            columns = tuple(position for position, _ in known)
            self.setup.append(f"by{number} = content.by({where}, {columns!r})")
            key = known[0][1] if len(known) == 1 else _tuple([code for _, code in known])
            self.open(f"for {row} in by{number}.get({key}, ()):")
        else:
            self.setup.append(f"all{number} = content.rows({where})")
            self.open(f"for {row} in all{number}:")
        done = {position for position, _ in known}
        for position, arg in enumerate(atom.args):
            if position in done or isinstance(arg, ir.Wild):
                continue
            if isinstance(arg, ir.Var) and arg.name not in self.bound:
                self.write(f"{self.bind(arg.name)} = {row}[{position}]")
            else:
                self.later.append((f"{row}[{position}]", arg))
        for column, arg in list(self.later):
            if self.ready(arg):
                self.later.remove((column, arg))
                self.open(f"if {column} == {self.code(arg)}:")

    def condition(self, part: ir.Condition) -> bool:
        test = part.test
        if isinstance(test, ir.Binary) and test.op == "==":
            for one, other in ((test.left, test.right), (test.right, test.left)):
                if isinstance(one, ir.Var) and one.name not in self.bound and self.ready(other):
                    value = self.code(other)
                    self.write(f"{self.bind(one.name)} = {value}")
                    return True
        if not self.ready(test):
            return False
        self.open(f"if {self.code(test)}:")
        return True

    def absent(self, atom: ir.Atom) -> None:
        number = f"n{len(self.setup)}"
        where = f"{atom.collection!r}, {atom.at!r}"
        known = [
            (position, self.code(arg))
            for position, arg in enumerate(atom.args)
            if not isinstance(arg, ir.Wild)
        ]
        if len(known) == len(atom.args):
            self.setup.append(f"{number} = content.rows({where})")
            self.open(f"if {_tuple([code for _, code in known])} not in {number}:")
        elif known:
            columns = tuple(position for position, _ in known)
            self.setup.append(f"{number} = content.by({where}, {columns!r})")
            key = known[0][1] if len(known) == 1 else _tuple([code for _, code in known])
            self.open(f"if {key} not in {number}:")
        else:
            self.setup.append(f"{number} = content.rows({where})")
            self.open(f"if not {number}:")

    # ----------------------------------------------------------- what a match is

    def head(self) -> str:
        plain = [self.code(arg) for arg in self.rule.args if not isinstance(arg, ir.Aggregate)]
        if len(plain) == len(self.rule.args):
            return _tuple(plain)
        values = [
            self.used() if arg.value is None else self.code(arg.value)
            for arg in self.rule.args
            if isinstance(arg, ir.Aggregate)
        ]
        return f"({_tuple(plain)}, {_tuple(values)})"

    def used(self) -> str:
        return _tuple([f"r{number}" for number in range(len(self.numbers))])

    def place(self, place: ir.Expr) -> str:
        return "None" if isinstance(place, ir.Wild) else self.code(place)

    # ----------------------------------------------------------- expressions

    def bind(self, name: str) -> str:
        self.bound.add(name)
        return self.names.setdefault(name, f"v{len(self.names)}")

    def ready(self, expression: ir.HeadArg) -> bool:
        if isinstance(expression, ir.Var):
            return expression.name in self.bound
        if isinstance(expression, ir.Binary):
            return self.ready(expression.left) and self.ready(expression.right)
        if isinstance(expression, ir.Unary):
            return self.ready(expression.operand)
        return True

    def code(self, expression: ir.Expr) -> str:
        if isinstance(expression, ir.Var):
            return self.names[expression.name]
        if isinstance(expression, ir.Const):
            return repr(expression.value)
        if isinstance(expression, ir.Binary):
            left, right = self.code(expression.left), self.code(expression.right)
            if expression.op == "div":
                return f"div({left}, {right})"
            if expression.op in ("<", ">="):
                return f"({'not ' if expression.op == '>=' else ''}less({left}, {right}))"
            if expression.op in (">", "<="):
                return f"({'not ' if expression.op == '<=' else ''}less({right}, {left}))"
            return f"({left} {expression.op} {right})"
        if isinstance(expression, ir.Unary):
            return f"({expression.op} {self.code(expression.operand)})"
        raise ProgramError(self.rule.span, f"{type(expression).__name__} in a rule of Dedalus")


def location(rule: ir.Rule) -> ir.Expr:
    """The first column of the first body predicate, negated or not; `_` is any node."""
    first = next(part for part in rule.body if isinstance(part, ir.Atom))
    return first.args[0] if first.args else ir.Wild()


def _tuple(parts: Sequence[str]) -> str:
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def divide(left: int, right: int) -> int:
    """Integer division towards zero, as C4 has it."""
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def less(left: object, right: object) -> bool:
    """Value order; numbers and strings of one kind by themselves."""
    if (
        type(left) is type(right)
        or isinstance(left, int | float)
        and isinstance(right, int | float)
    ):
        return left < right  # type: ignore[operator,no-any-return]
    return order_key(left) < order_key(right)
