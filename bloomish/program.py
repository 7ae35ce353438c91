"""Program: a class whose body declares collections and states rules.

The metaclass hands the body a scope, and when the body ends it makes the
program of it, checks it, and keeps it with the class (`Server.ir`).
"""

from __future__ import annotations

import ast
import builtins
import difflib
import keyword
import sys
from dataclasses import dataclass, replace
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from bloomish import ir
from bloomish.check import check
from bloomish.collections import Collection, Embedding, names_of
from bloomish.elaborate import Compiled, compiled, elaborate, inherited
from bloomish.errors import BloomishError, ProgramError
from bloomish.scope import Scope, current
from bloomish.source import fail, refresh, span_at, statement_at, user_frame
from bloomish.terms import Body, Rule
from bloomish.values import Values


class ClassBody(Scope):
    """The scope of a Program's class body: names collections as they are assigned."""

    def __init__(self, name: str, bases: tuple[type, ...], span: ir.Span) -> None:
        super().__init__(name, bases, span)
        self.inherited = inherited(bases)

    def declare(self, name: str, value: Any) -> None:
        known = self.get(name)
        fresh = isinstance(value, (Collection, Embedding)) and value._root is None
        if not fresh:
            if value is known:
                return
            if isinstance(known, (Collection, Embedding)):
                if isinstance(value, (Body, Rule)):
                    fail(f"`=` after `{name}`", "a rule is stated by `<=`: `head(x) <= body(x)`")
                fail(f"`{name}` is declared already, and this would hide it", "take another name")
            if name in self.inherited and getattr(value, "name", None) != name:
                self._declared_by_base(name)
            return
        if name in self.inherited:
            self._declared_by_base(name)
        if isinstance(known, (Collection, Embedding)):
            fail(f"`{name}` is declared twice", "take another name, or add to the first one")
        self._check_name(name)
        if isinstance(value, Embedding):
            value._name, value._root = name, self
        else:
            value._data = replace(value._data, name=value._data.name or name)
            value._root = self
        self.statements.declared.append(value)

    def _declared_by_base(self, name: str) -> NoReturn:
        owner = self.inherited[name]
        fail(
            f"`{name}` is inherited from {owner}, and declaring it again would hide it",
            f"name it `{owner}.{name}`; take another name for a new collection",
        )

    def _check_name(self, name: str) -> None:
        mend = f"take another name, such as `{name.strip('_') or 'rows'}_`"
        if keyword.iskeyword(name) or not name.isidentifier():
            fail(f"a collection cannot be called `{name}`: Python takes it for a keyword", mend)
        if name.startswith("_"):
            fail(
                f"a collection cannot be called `{name}`: names with a leading underscore are "
                "Python's own",
                f"take another name, such as `{name.strip('_') or 'rows'}`",
            )
        if hasattr(object, name) or name in _RESERVED:
            fail(f"a collection cannot be called `{name}`: every Program has that attribute", mend)

    def unknown(self, name: str) -> Any:
        frame = sys._getframe(2)
        if (
            (name.startswith("__") and name.endswith("__"))
            or name in frame.f_code.co_freevars
            or name in frame.f_globals
            or name in frame.f_builtins
        ):
            raise KeyError(name)
        raise ProgramError(span_at(frame), *self._unknown(name, frame))

    def _unknown(self, name: str, frame: FrameType) -> tuple[str, str]:
        if name in self.inherited:
            owner = self.inherited[name]
            return (
                f"`{name}` is inherited from {owner}, and a class body does not see it bare",
                f"write `{owner}.{name}`",
            )
        if name in self.get("__annotations__", {}):
            return f"`{name}` is annotated and not assigned", f"write `{name} = table(...)`"
        if name == self.name:
            return (
                f"a class body does not see its own class `{name}`",
                f"write the collection's name alone, without `{name}.`",
            )
        import bloomish

        if name in bloomish.__all__:
            return f"`{name}` is not imported", f"write `from bloomish import {name}`"
        known = [n for n in (*self, *frame.f_globals) if not n.startswith("__")]
        near = [n for n in known if n.lower() == name.lower()]
        near = near or difflib.get_close_matches(name, known, 1, cutoff=0.75)
        meant = f"write `{near[0]}` if that is meant; else " if near else ""
        node = statement_at(frame)
        called = node is not None and any(
            isinstance(part, ast.Call) and getattr(part.func, "id", "") == name
            for part in ast.walk(node)
        )
        declare = f"{name} = table(...)" if called else f'{name} = variables("{name}")'
        return f"`{name}` is not known here", f"{meant}declare it before it is used: `{declare}`"


_RESERVED = frozenset({"ir", "mro"})


@dataclass(frozen=True, slots=True)
class Replicated:
    """`Client * 2`: so many nodes run this program."""

    program: type[Program]
    size: int

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 1:
            fail(
                f"`{self.program.__name__} * {self.size!r}`: not a number of nodes",
                f"write `{self.program.__name__} * 3`",
            )


class ProgramMeta(type):
    """Builds, checks and keeps the program of a class."""

    _bloomish_compiled: Compiled

    @classmethod
    def __prepare__(metacls, name: str, bases: tuple[type, ...], /, **options: Any) -> Scope:
        frame = user_frame()
        refresh(frame.f_code.co_filename)
        if options:
            fail(f"`class {name}` takes no options", f"write `class {name}(Program):`")
        return ClassBody(name, bases, span_at(frame))

    def __new__(
        metacls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], /, **options: Any
    ) -> ProgramMeta:
        assert isinstance(namespace, ClassBody)
        for literal in namespace.statements.loose.values():
            raise ProgramError(
                replace(literal._place, text=repr(literal)),
                f"`{literal!r}` takes no part in a rule",
                "join literals by `&`, not by a comma; facts are `link <= [(...)]`",
            )
        cls = super().__new__(metacls, name, bases, dict(namespace))
        type.__setattr__(cls, "_bloomish_scope", namespace)
        made = elaborate(cls)
        check(made.program, Values(made.program.lattices, made.externals.lattices))
        type.__setattr__(cls, "_bloomish_compiled", made)
        return cls

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        fail(
            f"{cls.__name__} is a program, of which Python makes no instances",
            f"name the class itself: `Cluster(node={cls.__name__})`, `inner = use({cls.__name__})`",
        )

    if not TYPE_CHECKING:  # so that editors go on to mark what is not there

        def __getattr__(cls, name: str) -> NoReturn:
            if not name.startswith("_") and current() is not None:
                known = ", ".join(f"`{c}`" for c in names_of(cls)) or "none"
                fail(f"`{cls.__name__}` has no collection `{name}`", f"it has {known}")
            raise AttributeError(f"program {cls.__name__!r} has no attribute {name!r}", name=name)

    def __mul__(cls, size: int) -> Replicated:
        return Replicated(cls, size)  # type: ignore[arg-type]

    __rmul__ = __mul__

    @property
    def ir(cls) -> ir.Program:
        """The program as data."""
        return compiled(cls).program


class Program(metaclass=ProgramMeta):
    """The base of every program."""


def compile(program: type[Program]) -> Compiled:
    """A Program class as data, with the Python functions and lattices behind it."""
    if not (isinstance(program, ProgramMeta)):
        raise BloomishError(f"{program!r} is not a Program class")
    return compiled(program)


assert builtins.all(name not in vars(object) for name in _RESERVED)
