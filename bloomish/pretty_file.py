"""A whole program as a Python file that compiles to an equal IR (spans aside).

The IR has inheritance and `use` resolved; what remains of them are paths
(`inner.put`) and the class in a channel's wire name (`Kvs.put`).  From these
the classes are written anew: one per embedding, one per class that declares
channels, and the program itself, which states all other rules.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import bloomish
from bloomish import ir
from bloomish.pretty import Writer, value_text
from bloomish.rename import rule as renamed_rule
from bloomish.safety import parts

WIDTH = 100
INSERTED = "coordination"
"""What the origin of rules begins with that the analysis has put in: they say so in a comment."""
_INTERNAL = {"lift": "bloomish.terms", "Var": "bloomish.terms", "named": "bloomish.collections"}
"""Names that only printed programs need."""


def program_text(program: ir.Program) -> str:
    """A program as a file."""
    file = _File([program])
    file.add(program)
    return file.text()


def deployment_text(deployment: ir.Deployment) -> str:
    """A cluster, and the programs of its roles, as a file."""
    file = _File([role.program for role in deployment.roles])
    inside = []
    for role in deployment.roles:
        reference = file.add(role.program)
        size = f" * {role.size}" if role.size != 1 else ""
        inside.append(f"{role.name}={reference}{size}")
    file.blocks.append(f"{deployment.name} = {file.word('Cluster')}({', '.join(inside)})")
    return file.text()


# ------------------------------------------------------------------ what is in use


def _expressions(program: ir.Program) -> Iterator[ir.HeadArg]:
    for rule in program.rules:
        yield from rule.args
        for literal in rule.body:
            match literal:
                case ir.Atom(_, args):
                    yield from args
                case ir.Condition(test):
                    yield test
                case ir.Each(items, source):
                    yield from items
                    yield source


def _variables(program: ir.Program) -> list[str]:
    """In the order of their first use."""
    found: dict[str, None] = {}
    for expr in _expressions(program):
        for part in parts(expr):
            if isinstance(part, ir.Var):
                found[part.name] = None
    return list(found)


def _identifier(name: str) -> str:
    """A Python name near to this one."""
    plain = re.sub(r"\W", "_", name)
    if not plain or plain[0].isdigit():
        plain = f"v{plain}"
    return f"{plain}_" if keyword.iskeyword(plain) else plain


class _File(Writer):
    """One file: the names that it uses, and its blocks of text."""

    def __init__(self, programs: Sequence[ir.Program]) -> None:
        self.blocks: list[str] = []
        self.imports: dict[str, str] = {}  # name of the language -> name in this file
        self.outside: dict[str, set[str]] = {}  # module -> functions and lattices
        self.classes: dict[str, str] = {}  # class name -> text that it is bound to
        self.references: dict[tuple[str, str], str] = {}
        self.path: dict[str, str] = {}  # collection -> how the class under way names it
        taken: set[str] = set()
        for program in programs:
            for collection in program.collections:
                taken.update(collection.name.split("."))
                taken.update(collection.wire.split("."))
            taken.add(program.name)
            taken.update(decl.name for decl in program.functions)
            taken.update(decl.name for decl in program.lattices)
        self.variables: dict[str, str] = {}
        used = set(taken) | set(_words(programs))
        for name in dict.fromkeys(v for program in programs for v in _variables(program)):
            python = _identifier(name)
            while python in used or python == "_":
                python += "_"
            used.add(python)
            self.variables[name] = python
        self.taken = used - set(_words(programs)) | taken
        self.attributes: dict[str, str] = {}  # collection's own name -> attribute

    # ---------------------------------------------------------------- names

    def collection(self, name: str) -> str:
        return self.path[name]

    def variable(self, name: str) -> str:
        return self.variables[name]

    def word(self, name: str) -> str:
        if name not in bloomish.__all__ and name not in _INTERNAL:
            return name  # a user's function
        known = self.imports.get(name)
        if known is None:
            known = name
            while known in self.taken:
                known += "_"
            self.taken.add(known)
            self.imports[name] = known
        return known

    def attribute(self, name: str) -> str:
        """The attribute that a collection of this name is assigned to."""
        known = self.attributes.get(name)
        if known is None:
            known = name
            if not can_name_collection(name):
                known = _identifier(name).strip("_") or "rows"
                while known in self.taken or not can_name_collection(known):
                    known += "_"
                self.taken.add(known)
            self.attributes[name] = known
        return known

    def type(self, type_: ir.Type) -> str:
        """A column's type as it is written; imports what it names."""
        if isinstance(type_, ir.Plain):
            return self.word(type_.name) if type_.name in ("Address", "Any") else type_.name
        if isinstance(type_, ir.TupleOf):
            inside = ", ".join(map(self.type, type_.items))
            return f"({inside}{',' if len(type_.items) == 1 else ''})"
        name = self.word(type_.name)
        return f"{name}({', '.join(map(self.type, type_.args))})" if type_.args else name

    # -------------------------------------------------------------- the whole

    def text(self) -> str:
        head = []
        for module, names in sorted(self.outside.items()):
            head.append(_import(module, {name: name for name in names}))
        declared = self._declare_variables()
        lists: dict[str, dict[str, str]] = {"bloomish": {}}
        for name, known in self.imports.items():
            lists.setdefault(_INTERNAL.get(name, "bloomish"), {})[name] = known
        head += [_import(module, names) for module, names in lists.items() if names]
        blocks = ["\n".join(head)]
        if declared:
            blocks.append("\n".join(declared))
        text = "\n\n".join(blocks)
        return "\n\n\n".join([text, *self.blocks]) + "\n"

    def _declare_variables(self) -> list[str]:
        good = {
            name: python
            for name, python in self.variables.items()
            if name.isidentifier() and not keyword.iskeyword(name) and name != "_"
        }
        lines = []
        names = list(good)
        while names:
            some = [names.pop(0)]
            while names and 2 * len(" ".join([*some, names[0]])) + len(some) < WIDTH - 20:
                some.append(names.pop(0))
            left = ", ".join(good[name] for name in some)
            lines.append(f'{left} = {self.word("variables")}("{" ".join(some)}")')
        for name, python in self.variables.items():
            if name not in good:
                lines.append(f"{python} = {self.word('Var')}({value_text(name)})")
        return lines

    def bind(self, name: str, text: str) -> str:
        """Write a class, unless the same is there already; how to refer to it."""
        known = self.references.get((name, text))
        if known is not None:
            return known
        reference = name
        if name in self.classes:
            number = 2
            while f"{name}_{number}" in self.taken:
                number += 1
            reference = f"{name}_{number}"
            self.taken.add(reference)
            self.blocks += [
                f"{reference} = {name}",
                text,
                f"{reference}, {name} = {name}, {reference}",
            ]
        else:
            self.blocks.append(text)
            self.classes[name] = text
        self.references[name, text] = reference
        return reference

    def add(self, program: ir.Program) -> str:
        """Write a program's classes; how to refer to the last of them."""
        for function in program.functions:
            self._from(function.path, function.name)
        for lattice in program.lattices:
            self._from(lattice.path, lattice.name)
        shape = _Shape(program)
        used = {
            path: self.add(replace(inner, name=_class_name(inner, path), doc=""))
            for path, inner in shape.embedded.items()
        }
        bases: list[tuple[str, _Block]] = []
        for block in shape.blocks[:-1]:
            text = self._class(block.name, [], "", self._declarations(block, used))
            bases.append((self.bind(block.name, text), block))
        self.path = {}
        for reference, block in bases:
            for collection in block.collections:
                self.path[collection.name] = f"{reference}.{self.attribute(collection.name)}"
            for path in block.uses:
                for collection in shape.embedded[path].collections:
                    name = f"{path}.{collection.name}"
                    self.path[name] = f"{reference}.{self._attributes(name)}"
        for collection in program.collections:
            self.path.setdefault(collection.name, self._attributes(collection.name))
        body = self._declarations(shape.blocks[-1], used)
        statements = self._statements(shape)
        if body and statements:
            body.append("")
        inherits = [reference for reference, _ in reversed(bases)]
        text = self._class(program.name, inherits, program.doc, body + statements)
        return self.bind(program.name, text)

    def _attributes(self, name: str) -> str:
        *path, last = name.split(".") if can_name_path(name) else [name]
        return ".".join([*path, self.attribute(last)])

    def _from(self, path: str, name: str) -> None:
        module, _, qualified = path.partition(":")
        self.outside.setdefault(module, set()).add(qualified.split(".")[0] or name)

    # -------------------------------------------------------------- one class

    def _class(self, name: str, bases: list[str], doc: str, body: list[str]) -> str:
        lines = [f"class {name}({', '.join(bases) or self.word('Program')}):"]
        if doc:
            lines += [f"    {line}" if line else "" for line in _docstring(doc)]
            lines.append("")
        lines += [f"    {line}" if line else "" for line in body] or ["    pass"]
        return "\n".join(lines)

    def _declarations(self, block: _Block, used: dict[str, str]) -> list[str]:
        lines = []
        for member in block.members:
            if isinstance(member, str):
                lines.append(f"{member} = {self.word('use')}({used[member]})")
            else:
                lines += self._declaration(member, block.name)
        return lines

    def _declaration(self, collection: ir.Collection, owner: str) -> list[str]:
        inside = []
        if collection.kind == "periodic":
            inside.append(value_text(_short(collection.period)))
        elif collection.kind == "roster":
            inside.append(value_text(collection.role))
        else:
            for column in collection.columns:
                written = self.type(column.type)
                inside.append(
                    f"{column.name}={self.word('Key')}({written})"
                    if column.key and not _implied(collection)
                    else f"{column.name}={written}"
                )
        if collection.durable:
            inside.append("durable=True")
        attribute = self.attribute(collection.name)
        start, end = f"{attribute} = {self.word(collection.kind)}(", ")"
        wire = f"{owner}.{collection.name}" if collection.kind == "channel" else ""
        if attribute != collection.name or wire != collection.wire:
            name = value_text(collection.name)
            start = f"{attribute} = {self.word('named')}({name}, {self.word(collection.kind)}("
            end = f"), {value_text(collection.wire)})" if wire != collection.wire else "))"
        comment = f"  # {collection.doc}" if collection.doc else ""
        return _broken(start, inside, end + comment, ",", len(comment))

    def _statements(self, shape: _Shape) -> list[str]:
        lines: list[str] = []
        for guard in shape.guards:
            by = guard.by[0] if len(guard.by) == 1 else guard.by
            written = f"by={value_text(by)}"
            if guard.ordered:
                logs = ", ".join(map(self.collection, guard.ordered))
                written += f", ordered=({logs},)"
            if guard.sealed:
                pairs = (
                    f"{self.collection(rows)}: {self.collection(complete)}"
                    for rows, complete in guard.sealed
                )
                written += f", sealed={{{', '.join(pairs)}}}"
            lines.append(f"{self.word('protocol')}({written})")
        for assume in shape.assumptions:
            written = f'"{assume.kind}", {self.collection(assume.collection)}'
            written += f', key="{" ".join(assume.key)}"' if assume.key else ""
            written += f', value="{" ".join(assume.value)}"' if assume.value else ""
            lines.append(f"{self.word('assume')}({written})")
        for facts in shape.facts:
            name = self.collection(facts.collection)
            if facts.at is not None:
                name = f"{self.word('at')}({facts.at}, {name})"
            lines += _broken(f"{name} <= [", [value_text(row) for row in facts.rows], "]", ",")
        if lines and shape.rules:
            lines.append("")
        origin = ""
        for rule in shape.rules:
            inserted = rule.origin if rule.origin.startswith(INSERTED) else ""
            if inserted != origin:
                lines += ["", f"# {inserted or 'the program itself'}"]
            origin = inserted
            line = self.rule(rule)
            if len(line) + 4 <= WIDTH or len(rule.body) == 1:
                lines.append(line)
                continue
            lines.append(f"{self.atom(rule.head, rule.args)} {rule.op} (")
            lines += [
                f"    {'& ' if number else ''}{self.literal(literal)}"
                for number, literal in enumerate(rule.body)
            ]
            lines.append(")")
        return lines


def can_name_collection(name: str) -> bool:
    """May a class body assign a collection to this name?"""
    return (
        name.isidentifier()
        and not keyword.iskeyword(name)
        and not name.startswith("_")
        and not hasattr(object, name)
        and name not in ("ir", "mro")
    )


def can_name_path(name: str) -> bool:
    """Is this the path of an embedded collection, and not a name with dots in it?"""
    *path, last = name.split(".")
    return bool(last) and all(map(can_name_collection, path))


def _words(programs: Sequence[ir.Program]) -> set[str]:
    """Names of the language that rules of these programs use as they are."""
    found: set[str] = set()
    for program in programs:
        for expr in _expressions(program):
            for part in parts(expr):
                if not isinstance(part, (ir.Var, ir.Const, ir.Call)):
                    found |= _WORDS.get(type(part).__name__, set())
                if isinstance(part, ir.Field):
                    found |= _type_words(part.type)
                if isinstance(part, ir.Aggregate):
                    found |= {part.name}
    return found


def _type_words(type_: ir.Type) -> set[str]:
    """The names in a type as it is written."""
    match type_:
        case ir.Plain(name):
            return {name}
        case ir.TupleOf(items):
            return set().union(*map(_type_words, items))
        case ir.Lattice(name, args):
            return {name}.union(*map(_type_words, args))


_WORDS = {
    "Field": {"field"}, "Here": {"here"}, "Now": {"now"}, "Random": {"random"}, "Size": {"size"},
    "TickNumber": {"tick_number"},
}  # fmt: skip


def _implied(collection: ir.Collection) -> bool:
    """A channel with lattice columns: the others are its key without saying so."""
    return collection.kind == "channel" and all(
        c.key != isinstance(c.type, ir.Lattice) for c in collection.columns
    )


def _short(seconds: float) -> float | int:
    return int(seconds) if seconds == int(seconds) else seconds


def _import(module: str, names: dict[str, str]) -> str:
    inside = [
        name if name == known else f"{name} as {known}" for name, known in sorted(names.items())
    ]
    line = f"from {module} import {', '.join(inside)}"
    if len(line) <= WIDTH:
        return line
    lines = [""]
    for item in inside:
        if len(lines[-1]) + len(item) + 6 > WIDTH:
            lines.append("")
        lines[-1] += f" {item},"
    body = "\n".join(f"   {line}" for line in lines)
    return f"from {module} import (\n{body}\n)"


def _broken(start: str, items: Iterable[str], end: str, comma: str, spare: int = 0) -> list[str]:
    """On one line if that fits, else an item per line."""
    items = list(items)
    line = start + f"{comma} ".join(items) + end
    if len(line) - spare + 4 <= WIDTH or len(items) < 2:
        return [line]
    return [start, *(f"    {item}{comma}" for item in items), end]


def _docstring(doc: str) -> list[str]:
    text = doc.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if text.endswith('"'):
        text = text[:-1] + '\\"'
    lines = text.split("\n")
    if len(lines) == 1:
        return [f'"""{text}"""']
    return [f'"""{lines[0]}', *lines[1:], '"""']


# ---------------------------------------------------- the classes behind a program


@dataclass
class _Block:
    """The declarations of one class: collections, and paths of embeddings, in order."""

    name: str
    members: list[ir.Collection | str] = field(default_factory=list)

    @property
    def collections(self) -> list[ir.Collection]:
        return [member for member in self.members if isinstance(member, ir.Collection)]

    @property
    def uses(self) -> list[str]:
        return [member for member in self.members if isinstance(member, str)]


class _Shape:
    """A program taken apart again: embeddings, base classes, what it states itself."""

    def __init__(self, program: ir.Program) -> None:
        members: list[ir.Collection | str] = []
        inner: dict[str, list[ir.Collection]] = {}
        for collection in program.collections:
            path, dot, _ = collection.name.partition(".")
            if not dot or not can_name_path(collection.name):
                members.append(collection)
                continue
            if path not in inner:
                members.append(path)
            inner.setdefault(path, []).append(collection)
        self.rules = list(program.rules)
        self.facts = list(program.facts)
        self.guards = list(program.guards)
        self.assumptions = list(program.assumptions)
        self.embedded: dict[str, ir.Program] = {}
        for path, collections in inner.items():
            self.embedded[path] = self._take(program, path, collections)
        self.blocks = _blocks(program.name, members)

    def _take(self, program: ir.Program, path: str, collections: list[ir.Collection]) -> ir.Program:
        """What belongs to the embedding at `path`: it comes first in every list."""
        prefix = f"{path}."

        def bare(name: str) -> str:
            return name.removeprefix(prefix)

        rules = []
        while self.rules and _mentions(self.rules[0], prefix):
            rules.append(renamed_rule(self.rules.pop(0), bare))
        facts = []
        while self.facts and self.facts[0].collection.startswith(prefix):
            first = self.facts.pop(0)
            facts.append(replace(first, collection=bare(first.collection)))
        guards = []
        while self.guards and f"{self.guards[0].scope}.".startswith(prefix):
            guard = self.guards.pop(0)
            scope = "" if guard.scope == path else bare(guard.scope)
            guards.append(
                replace(
                    guard,
                    scope=scope,
                    ordered=tuple(map(bare, guard.ordered)),
                    sealed=tuple((bare(rows), bare(complete)) for rows, complete in guard.sealed),
                )
            )
        assumptions = []
        while self.assumptions and self.assumptions[0].collection.startswith(prefix):
            assume = self.assumptions.pop(0)
            assumptions.append(replace(assume, collection=bare(assume.collection)))
        return ir.Program(
            name=path,
            collections=tuple(
                replace(c, name=bare(c.name), wire=bare(c.wire)) for c in collections
            ),
            rules=tuple(rules),
            facts=tuple(facts),
            guards=tuple(guards),
            assumptions=tuple(assumptions),
        )


def _mentions(rule: ir.Rule, prefix: str) -> bool:
    """Does the rule speak of collections under the prefix only?"""
    seen: list[str] = []

    def see(name: str) -> str:
        seen.append(name)
        return name

    renamed_rule(rule, see)
    return all(name.startswith(prefix) for name in seen)


def _blocks(name: str, members: list[ir.Collection | str]) -> list[_Block]:
    """Declarations by class; a class ends with the last channel that its name is on."""
    owners = [
        member.wire.partition(".")[0]
        if isinstance(member, ir.Collection) and member.wire.count(".") == 1
        else ""
        for member in members
    ]
    blocks: list[_Block] = []
    pending: list[ir.Collection | str] = []
    for member, owner in zip(members, owners, strict=True):
        pending.append(member)
        if owner and owner != name:
            if not blocks or blocks[-1].name != owner:
                blocks.append(_Block(owner))
            blocks[-1].members += pending
            pending = []
    blocks.append(_Block(name, pending))
    return blocks


def _class_name(program: ir.Program, path: str) -> str:
    """An embedded program is named after the class of its last channel, or its path."""
    for collection in reversed(program.collections):
        if collection.wire.count(".") == 1 and "." not in collection.name:
            return collection.wire.partition(".")[0]
    return "".join(part.capitalize() for part in path.split("_")) or path
