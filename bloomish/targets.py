"""TARGET, as every verb takes it: `path/to/file.py[:Name]`, `package.module[:Name]`, or a
file of another notation that a reader knows by its suffix."""

from __future__ import annotations

import importlib
import importlib.util
import keyword
import linecache
import os
import re
import sys
import traceback
import types
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bloomish import ir
from bloomish.cluster import Cluster, CompiledCluster
from bloomish.collections import Embedding
from bloomish.elaborate import Compiled, compiled, scope_of
from bloomish.errors import BloomishError, ProgramError
from bloomish.externals import Externals
from bloomish.program import Program, ProgramMeta, Replicated


@dataclass(frozen=True, slots=True)
class Target:
    """What a TARGET names: a cluster, with the programs of its roles, or one program.

    `text` is what the user wrote; `warnings` what a reader accepted but likely
    is not meant.
    """

    text: str
    programs: tuple[Compiled, ...]
    cluster: CompiledCluster | None = None
    warnings: tuple[str, ...] = ()


Reader = Callable[[Path], tuple[tuple[Compiled, ...], tuple[str, ...]]]


def _dedalus(path: Path) -> tuple[tuple[Compiled, ...], tuple[str, ...]]:
    from bloomish.readers.dedalus import read_dedalus

    reading = read_dedalus([path])
    return (Compiled(reading.program, Externals()),), tuple(map(str, reading.warnings))


def _pydatalog(path: Path) -> tuple[tuple[Compiled, ...], tuple[str, ...]]:
    from bloomish.readers.pydatalog import read

    return (read(read_text(path), str(path)),), ()


def _sql(path: Path) -> tuple[tuple[Compiled, ...], tuple[str, ...]]:
    from bloomish.readers.sql.reader import read_sql_warning

    compiled, warnings = read_sql_warning(read_text(path), str(path))
    return (compiled,), warnings


READERS: dict[str, Reader] = {
    ".ded": _dedalus,
    ".dl": _pydatalog,
    ".pydatalog": _pydatalog,
    ".sql": _sql,
}
"""Suffix to reader."""


def load(target: str) -> Target:
    """Find and build what a TARGET names; raises BloomishError with what is wrong with it."""
    where, name = _split(target)
    suffix = Path(where).suffix
    if suffix in READERS:
        if name:
            raise BloomishError(f"{target}: a {suffix} file is one program and takes no `:{name}`")
        programs, warnings = READERS[suffix](_existing(Path(where)))
        return Target(target, programs, None, warnings)
    path = Path(where)
    folder = path.is_dir() and not (path / "__init__.py").exists()
    if suffix == ".py" or os.sep in where or path.is_file() or folder:
        _existing(path)
        if suffix != ".py":
            known = ", ".join((".py", *READERS))
            raise BloomishError(f"{where}: not a program file; it ends in one of {known}")
        module = _run(path)
    else:
        module = _import(where)
    return _choose(target, module, name)


def _split(target: str) -> tuple[str, str]:
    where, colon, name = target.rpartition(":")
    if colon and re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", name):
        return where, name
    if colon and not Path(target).exists():
        raise BloomishError(
            f"{target!r} is not a target: write path/to/file.py:Name or package.module:Name"
        )
    return target, ""


def _existing(path: Path) -> Path:
    if path.is_dir():
        programs = sorted(p.name for p in path.glob("*.py"))
        raise BloomishError(
            f"{path} is a folder; name a file in it"
            + (f", such as {path / programs[0]}" if programs else "")
        )
    if not path.is_file():
        raise BloomishError(f"{path}: there is no such file")
    return path


def read_text(path: Path) -> str:
    """A file's text, or a clear refusal."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BloomishError(f"{path}: not UTF-8 text: {error}") from None
    except OSError as error:
        raise BloomishError(f"{path}: {error.strerror}") from None


# ------------------------------------------------------------------ Python files

_RELATIVE = re.compile(r"^\s*from\s+\.", re.MULTILINE)


def _run(path: Path) -> types.ModuleType:
    """Run a program file as a module of its own, its folder importable as with `python file`."""
    text = read_text(path)
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if _RELATIVE.search(text) and (path.parent / "__init__.py").exists():
        return _import(_dotted(path))
    name = path.stem
    known = sys.modules.get(name)
    known_file = getattr(known, "__file__", None)
    if known is not None and (known_file is None or Path(known_file).resolve() != path.resolve()):
        name = f"{name}_at_{zlib.crc32(bytes(path.resolve())):x}"
    linecache.checkcache(str(path))
    module = types.ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        exec(compile(text, str(path), "exec", dont_inherit=True), module.__dict__)
    except SyntaxError as error:
        _refuse_syntax(error)
    except BloomishError:
        raise
    except (Exception, SystemExit) as error:
        _refuse_exception(error, str(path))
    return module


def _dotted(path: Path) -> str:
    parts = [path.stem]
    folder = path.resolve().parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return ".".join(parts)


def _import(name: str) -> types.ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise BloomishError(f"{name!r}: there is no such file, and it is not a module's name")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise BloomishError(
                f"{name}: there is no such module, and no file {name.replace('.', '/')}.py: "
                "write path/to/file.py or package.module"
            ) from None
        _refuse_exception(error, "")
    except SyntaxError as error:
        _refuse_syntax(error)
    except BloomishError:
        raise
    except (Exception, SystemExit) as error:
        _refuse_exception(error, "")


def _refuse_syntax(error: SyntaxError) -> NoReturn:
    text = (error.text or "").strip()
    span = ir.Span(error.filename or "", error.lineno or 0, error.offset or 0, text)
    assigned = re.match(r"(\w+)\s*=[^=]", text)
    if assigned and keyword.iskeyword(assigned[1]):
        name = assigned[1]
        raise ProgramError(
            span,
            f"a collection cannot be called `{name}`: Python takes it for a keyword",
            f"take another name, such as `{name}_`",
        ) from None
    column = re.search(r"[(,]\s*(\w+)\s*=[^=]", text)
    if column and keyword.iskeyword(column[1]):
        raise ProgramError(
            span,
            f"`{column[1]}` cannot name a column: Python takes it for a keyword",
            f"take another name, such as `{column[1]}_`",
        ) from None
    mend = ""
    if "'=='" in (error.msg or ""):
        mend = "a rule is stated by `<=`: `head(x) <= body(x)`; `(z == x + y)` compares or binds"
    elif re.search(r"[<+\-~=&|]\s*not\b", text):
        mend = (
            "the absence of a row is `notin(link(x, y))`, the opposite of a condition `not_(x < y)`"
        )
    raise ProgramError(span, f"this is not Python: {error.msg}", mend) from None


_HINTS = (
    (
        re.compile(r"bad operand type for unary [+\-~]: '(list|tuple|set|dict|str)'"),
        "facts go by `<=` only: `link <= [...]`; later rows are derived by a rule",
    ),
    (
        re.compile(r"'<=?' not supported between instances of '(list|tuple|set)' and"),
        "facts and rules go to the left: `link <= [...]`",
    ),
    (
        re.compile(r"unhashable type: '(dict|set)'"),
        "Python has no set of sets or maps: into an Antichain or MVRegister goes `(version, "
        "value)` without braces; else write `frozenset({x})`",
    ),
)


def _refuse_exception(error: BaseException, file: str) -> NoReturn:
    """Whatever a program file raised, at the innermost line of that file."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = os.path.dirname(os.path.abspath(__file__))
    mine = [f for f in frames if f.filename == file] or [
        f
        for f in frames
        if not f.filename.startswith("<frozen") and os.path.dirname(f.filename) != ours
    ]
    span = ir.Span(file)
    if mine:
        span = ir.Span(mine[-1].filename, mine[-1].lineno or 0, 0, mine[-1].line or "")
    if isinstance(error, SystemExit):
        what = "the file ends the process while it is loaded"
        mend = 'put what is to run under `if __name__ == "__main__":`'
    else:
        what, mend = f"{type(error).__name__}: {error}", ""
        for pattern, hint in _HINTS:
            if pattern.search(str(error)):
                mend = hint
    raise ProgramError(span, what, mend) from error


# ---------------------------------------------------------------------- choosing


def _choose(target: str, module: types.ModuleType, name: str) -> Target:
    clusters = {n: v for n, v in vars(module).items() if isinstance(v, Cluster)}
    programs = {
        n: v
        for n, v in vars(module).items()
        if isinstance(v, ProgramMeta) and v is not Program and v.__module__ == module.__name__
    }
    if name:
        found: Any = module
        for part in name.split("."):
            found = getattr(found, part, None)
        if isinstance(found, Cluster):
            return _cluster(target, name, found)
        if isinstance(found, Replicated):
            return _cluster(target, name, Cluster(**{found.program.__name__.lower(): found}))
        if isinstance(found, ProgramMeta):
            return Target(target, (compiled(found),))
        raise BloomishError(f"{target}: there is no `{name}`; {_choices(clusters, programs)}")
    if len(clusters) == 1:
        ((only, cluster),) = clusters.items()
        return _cluster(target, only, cluster)
    if not clusters:
        outer = _outermost(programs)
        if len(outer) == 1:
            return Target(target, (compiled(outer[0]),))
        if not outer:
            raise BloomishError(f"{target}: no Program class and no Cluster in it")
    where = _split(target)[0]
    raise BloomishError(
        f"{target}: which one is meant? {_choices(clusters, programs)}; "
        f"write {where}:{next(iter(clusters or programs))}"
    )


def _cluster(target: str, name: str, cluster: Cluster) -> Target:
    made = cluster.compile(name)
    programs = {id(role.program): compiled(role.program) for role in cluster.roles.values()}
    return Target(target, tuple(programs.values()), made)


def _outermost(programs: dict[str, Any]) -> list[Any]:
    """The programs that no other program of the module inherits or uses."""
    inner: set[Any] = set()
    for cls in programs.values():
        inner.update(cls.__mro__[1:])
        for declared in scope_of(cls).statements.declared:
            if isinstance(declared, Embedding):
                inner.add(declared._program)
    return list(dict.fromkeys(cls for cls in programs.values() if cls not in inner))


def _choices(clusters: dict[str, Any], programs: dict[str, Any]) -> str:
    listed = [f"the cluster {n}" for n in clusters] + [f"the program {n}" for n in programs]
    return f"it has {', '.join(listed)}" if listed else "it has no Program class and no Cluster"
