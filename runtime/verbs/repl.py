"""`bloomish repl`: one node in this process, ticked by hand, for learning and debugging.

Rows may also be put into tables and taken out of them: for each table the
program gets two more inputs and the rules `table <= put` and `table <- take`.
"""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from bloomish import ir
from bloomish.errors import BloomishError
from bloomish.pretty import Writer
from bloomish.runtime.evaluator import Evaluator, Row, RowRefused, Tick, TickFailed
from bloomish.runtime.evaluators import make_evaluator
from bloomish.runtime.roles import roles
from bloomish.runtime.rowtext import row_text
from bloomish.targets import load
from bloomish.values import type_text

HELP = """\
link("a", "b")        a row for the next tick, into an input, a channel, a periodic or a table
-link("a", "b")       a table's row to be deleted at the end of the next tick
tick [N]              take a tick, or N
run                   tick until another tick would change nothing
waiting               the rows that the next tick will take
drop                  forget these
NAME                  the rows of a collection, as the last tick saw them
collections           what there is
rules [NAME]          the rules, or those with this head
help                  this
quit                  leave (so does the end of the input)"""
MANY_TICKS = 1000
_WORDS = ("tick", "run", "waiting", "drop", "collections", "rules", "help", "quit")


class _Mistake(Exception):
    """A line that makes no sense; the text says why."""


def repl(target: str, evaluator: str, seed: int) -> int:
    """Read lines, do what they say.  0; or 1 if lines that were piped in were wrong."""
    loaded = load(target)
    if loaded.cluster is not None:
        choices = " or ".join(
            f"{target.partition(':')[0]}:{role.program.name}"
            for role in loaded.cluster.deployment.roles
        )
        raise BloomishError(f"{target} is a cluster; the repl runs one node: say {choices}")
    declared = roles(loaded)
    (role,) = declared.roles
    session = Session(
        role.program,
        make_evaluator(
            _with_doors(role.program),
            role.externals,
            node=role.nodes[0],
            rosters=declared.rosters,
            seed=seed,
            which=evaluator,
        ),
    )
    if sys.stdin.isatty():
        print(f"{role.program.name} on the {session.evaluator.name}; help lists the commands")
    mistakes = 0
    for line in _lines(session.names):
        try:
            if not session.do(line):
                break
        except _Mistake as mistake:
            mistakes += 1
            print(f"? {mistake}")
        sys.stdout.flush()
    return 1 if mistakes and not sys.stdin.isatty() else 0


def _lines(names: Sequence[str]) -> Iterable[str]:
    """The lines of the standard input, edited and completed on a terminal."""
    return _edited(names) if sys.stdin.isatty() else sys.stdin


def _edited(names: Sequence[str]) -> Iterator[str]:
    import readline

    words = [*names, *_WORDS]

    def complete(start: str, state: int) -> str | None:
        found = [word for word in words if word.startswith(start)]
        return found[state] if state < len(found) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" (,-")
    readline.parse_and_bind("tab: complete")
    while True:
        try:
            yield input("> ")
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print()


def _door(name: str, sign: str) -> str:
    return f"{sign}{name}"


def _with_doors(program: ir.Program) -> ir.Program:
    """The program, with an input to put rows into each table and one to take rows out."""
    collections = list(program.collections)
    rules = list(program.rules)
    for table in program.collections:
        if table.kind != "table":
            continue
        args = tuple(ir.Var(one.name) for one in table.columns)
        operators: tuple[tuple[str, ir.Operator], ...] = (("+", "<="), ("-", "<-"))
        for sign, op in operators:
            door = _door(table.name, sign)
            columns = tuple(replace(one, key=False) for one in table.columns)
            collections.append(ir.Collection(door, "input", columns, span=table.span))
            body = (ir.Atom(door, args),)
            rules.append(ir.Rule(door, table.name, args, op, body, "repl", table.span))
    return replace(program, collections=tuple(collections), rules=tuple(rules))


class Session:
    """One node and the commands about it."""

    def __init__(self, program: ir.Program, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._program = program
        self._collections = {one.name: one for one in program.collections}
        self._by_wire = {one.wire: one.name for one in program.collections if one.wire}
        self._commands: dict[str, Callable[[str], None]] = {
            "tick": self._tick,
            "run": self._run,
            "waiting": self._waiting,
            "drop": lambda rest: self.evaluator.set_arrivals([]),
            "collections": self._list,
            "rules": self._rules,
            "help": lambda rest: print(HELP),
        }

    @property
    def names(self) -> list[str]:
        """The collections, for completion."""
        return list(self._collections)

    def do(self, line: str) -> bool:
        """One line; False to leave."""
        line = line.strip()
        if not line or line.startswith("#"):
            return True
        word, _, rest = line.partition(" ")
        if line in ("quit", "exit"):
            return False
        if line in self._collections:
            self._show(line)
        elif word in self._commands:
            self._commands[word](rest.strip())
        elif "(" in line:
            self._put(line)
        else:
            raise _Mistake(f"neither a collection nor a command: {word} (help lists these)")
        return True

    # -- rows

    def _put(self, line: str) -> None:
        sign = line[0] if line[0] in "+-" else ""
        name, _, arguments = line.removeprefix(sign).partition("(")
        name = name.strip()
        collection = self._find(name)
        if not arguments.endswith(")"):
            raise _Mistake(f"a row is written {name}(value, ...)")
        row = _values(arguments[:-1])
        if sign == "-" and collection.kind != "table":
            raise _Mistake(f"rows are deleted from tables; {name} is a {collection.kind}")
        door = name
        if collection.kind == "table":
            door = _door(name, sign or "+")
        elif collection.kind not in ("input", "channel", "periodic"):
            raise _Mistake(
                f"rows go into inputs, channels, periodics and tables; "
                f"{name} is {_a(collection.kind)}"
            )
        try:
            self.evaluator.insert(door, [row])
        except RowRefused as fault:
            raise _Mistake(str(fault).replace(door, name)) from fault

    def _find(self, name: str) -> ir.Collection:
        found = self._collections.get(name)
        if found is None:
            raise _Mistake(f"no collection {name!r}; there are: {', '.join(self._collections)}")
        return found

    def _show(self, name: str) -> None:
        rows = self.evaluator.contents(name)
        for row in rows:
            print(f"  {row_text(name, row)}")
        print(f"  {len(rows):,} row{'' if len(rows) == 1 else 's'}")

    def _waiting(self, rest: str) -> None:
        for name, row in self.evaluator.arrivals():
            print(f"  {row_text(name.removeprefix('+'), row)}")

    # -- ticks

    def _tick(self, rest: str) -> None:
        if rest and not (rest.isdecimal() and int(rest) > 0):
            raise _Mistake("tick, or tick and how many")
        for _ in range(int(rest or 1)):
            self._one_tick()

    def _run(self, rest: str) -> None:
        for _ in range(MANY_TICKS):
            tick = self._one_tick()
            if not tick.again and not self.evaluator.arrivals():
                return
        print(f"  stopped after {MANY_TICKS:,} ticks; it still changes")

    def _one_tick(self) -> Tick:
        try:
            tick = self.evaluator.tick(time.time())
        except TickFailed as failure:
            raise _Mistake(
                f"the tick failed; its rows still wait, and so it will again until you `drop` "
                f"them: {failure}"
            ) from failure
        print(f"tick {tick.number}{', another would change more' if tick.again else ''}")
        for name in sorted({*tick.events, *tick.added}):
            came = [*tick.events.get(name, ()), *tick.added.get(name, ())]
            for row in dict.fromkeys(came):
                print(f"  {row_text(name, row)}")
        for name, gone in sorted(tick.removed.items()):
            for row in gone:
                print(f"  no longer {row_text(name, row)}")
        for destination, wire, row in self.evaluator.sends():
            print(f"  to {destination}: {row_text(wire, row)}")
            if destination == self.evaluator.node and wire in self._by_wire:
                self.evaluator.insert(self._by_wire[wire], [row])
        return tick

    # -- looking around

    def _list(self, rest: str) -> None:
        for one in self._program.collections:
            columns = ", ".join(
                f"{column.name}: {'key ' if column.key else ''}{type_text(column.type)}"
                for column in one.columns
            )
            rows = len(self.evaluator.contents(one.name))
            print(f"  {one.kind:10} {one.name}({columns})  {rows:,} row{'' if rows == 1 else 's'}")

    def _rules(self, name: str) -> None:
        if name:
            self._find(name)
        for rule in self._program.rules:
            if not name or rule.head == name:
                print(f"  {Writer().rule(rule)}")


def _values(text: str) -> Row:
    """The values of a row as Python writes them."""
    try:
        values: Any = ast.literal_eval(f"({text},)") if text.strip() else ()
    except (ValueError, SyntaxError) as fault:
        raise _Mistake(f"values are written as in Python: {text} is not: {fault}") from fault
    return tuple(values)


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
