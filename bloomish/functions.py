"""`@function`: a Python function that rules may call.

It must be pure and deterministic; the analyzer treats it as opaque, and as
monotone only if it is marked so (Conway et al., "Logic and Lattices", 2012).
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any, overload

from bloomish import ir, scope
from bloomish.columns import column_type
from bloomish.errors import ProgramError
from bloomish.source import definition
from bloomish.terms import Expression, Term, _operand

_NO_VALUE = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Function:
    """A user's function; a term when called in a rule, itself everywhere else."""

    def __init__(self, python: Callable[..., Any], monotone: bool) -> None:
        self.__wrapped__ = python
        self.__name__ = python.__name__
        self.__doc__ = python.__doc__
        self._decl, self._lattices = _declaration(python, monotone)
        self._defaults: tuple[Any, ...] = getattr(python, "__defaults__", None) or ()

    def __repr__(self) -> str:
        return f"@function {self.__name__}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not any(isinstance(arg, Term) for arg in (*args, *kwargs.values())):
            if scope.current() is None:
                return self.__wrapped__(*args, **kwargs)
        from bloomish.source import fail

        name = self.__name__
        if kwargs:
            fail(f"`{name}` takes its arguments by position in a rule", f"write `{name}(x)`")
        wanted = len(self._decl.params)
        missing = wanted - len(args)
        if 0 < missing <= len(self._defaults):
            args += self._defaults[-missing:]
        if len(args) != wanted:
            fail(
                f"`{name}` has {wanted} parameter{'' if wanted == 1 else 's'} "
                f"and is given {len(args)}",
                f"its declaration is at {self._decl.span.file}:{self._decl.span.line}",
            )
        terms = [_operand(arg, f"`{name}()`") for arg in args]
        uses = frozenset({self}).union(*(t._uses for t in terms))
        return Expression(ir.Call(name, tuple(t._expr for t in terms)), uses)


@overload
def function(python: Callable[..., Any], /) -> Any: ...
@overload
def function(*, monotone: bool = False) -> Callable[[Callable[..., Any]], Any]: ...
def function(python: Callable[..., Any] | None = None, /, *, monotone: bool = False) -> Any:
    """Let rules call a Python function: pure, deterministic, its types annotated."""
    if python is None:
        return lambda found: Function(found, monotone)
    return Function(python, monotone)


def _declaration(
    python: Callable[..., Any], monotone: bool
) -> tuple[ir.FunctionDecl, frozenset[type[Any]]]:
    from bloomish.columns import lattice_classes

    code = getattr(python, "__code__", None)
    span = ir.Span()
    if code is not None:
        span = definition(code)
    if code is None or not python.__name__.isidentifier():
        raise ProgramError(
            span,
            f"@function on {python!r}",
            "a function of a rule is a plain named Python function",
        )
    if code.co_flags & _NO_VALUE:
        raise ProgramError(
            span,
            f"`{python.__name__}` is a generator or a coroutine, and a rule wants its value",
            "write a function that returns the value, without `yield`, `async` or `await`",
        )
    name = python.__name__
    try:
        hints = typing.get_type_hints(python)
    except Exception as error:
        raise ProgramError(
            span,
            f"the annotations of `{name}` cannot be read: {error}",
            "annotate parameters and result with column types",
        ) from error
    params: list[ir.Type] = []
    lattices: frozenset[type[Any]] = frozenset()
    for parameter in inspect.signature(python).parameters.values():
        if parameter.kind not in (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        ):
            raise ProgramError(
                span,
                f"`{name}` has the parameter `{parameter}`",
                "a function of a rule has a fixed number of positional parameters",
            )
        if parameter.name not in hints:
            raise ProgramError(
                span,
                f"the parameter `{parameter.name}` of `{name}` has no type",
                f"annotate it: `{parameter.name}: int` (or `Any`)",
            )
        params.append(_annotation(hints[parameter.name], name, span))
        lattices |= lattice_classes(hints[parameter.name])
    if "return" not in hints:
        raise ProgramError(
            span, f"`{name}` has no result type", f"annotate it: `def {name}(...) -> int:`"
        )
    lattices |= lattice_classes(hints["return"])
    decl = ir.FunctionDecl(
        name,
        f"{python.__module__}:{python.__qualname__}",
        tuple(params),
        _annotation(hints["return"], name, span),
        monotone,
        span,
    )
    return decl, lattices


def _annotation(written: Any, name: str, span: ir.Span) -> ir.Type:
    """Column types, and the names that Python has for what carries the lattices."""
    if typing.get_origin(written) is typing.Annotated:
        written = written.__metadata__[0]
    if typing.get_origin(written) in (frozenset, set) and len(typing.get_args(written)) == 1:
        return ir.Lattice("SetUnion", (_annotation(typing.get_args(written)[0], name, span),))
    if written in (frozenset, set):
        return ir.Lattice("SetUnion", (ir.Plain("Any"),))
    try:
        return column_type(written)
    except ProgramError as error:
        raise ProgramError(span, f"`{name}`: {error.what}", error.mend) from None
