"""A program seen under a path: what `inner = use(Other)` does to Other's names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bloomish import ir, rebuild

Rename = Callable[[str], str]


def embedded(program: ir.Program, path: str) -> ir.Program:
    """The program with `path.` before every collection, rule and wire name."""

    def name(old: str) -> str:
        return f"{path}.{old}"

    return replace(
        program,
        collections=tuple(
            replace(c, name=name(c.name), wire=name(c.wire) if c.wire else "")
            for c in program.collections
        ),
        rules=tuple(rule(r, name) for r in program.rules),
        facts=tuple(replace(f, collection=name(f.collection)) for f in program.facts),
        guards=tuple(
            replace(
                g,
                scope=name(g.scope) if g.scope else path,
                ordered=tuple(map(name, g.ordered)),
                sealed=tuple((name(rows), name(complete)) for rows, complete in g.sealed),
            )
            for g in program.guards
        ),
        assumptions=tuple(replace(a, collection=name(a.collection)) for a in program.assumptions),
    )


def rule(old: ir.Rule, name: Rename) -> ir.Rule:
    """A rule whose collections, and itself, have other names."""
    return replace(
        old,
        name=name(old.name) if old.name else "",
        head=name(old.head),
        args=tuple(rebuild.head_arg(arg, _sizes(name)) for arg in old.args),
        body=tuple(_literal(literal, name) for literal in old.body),
    )


def _literal(literal: ir.Literal, name: Rename) -> ir.Literal:
    made = rebuild.literal(literal, _sizes(name))
    return replace(made, collection=name(made.collection)) if isinstance(made, ir.Atom) else made


def _sizes(name: Rename) -> rebuild.Change:
    """The only names in an expression are those of rosters, in `size`."""

    def change(part: ir.Expr) -> ir.Expr | None:
        if isinstance(part, ir.Size) and isinstance(part.of, str):
            return ir.Size(name(part.of))
        return None

    return change
