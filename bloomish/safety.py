"""Range restriction: every variable is bound before it is used.

A positive atom binds its variables, `each` its items, `Var == expr` its
variable once the expression is known (Ullman, "Principles of Database and
Knowledge-Base Systems", 1988, section 3.2).
"""

from __future__ import annotations

from collections.abc import Iterator

from bloomish import ir
from bloomish.errors import ProgramError
from bloomish.pretty import expr_text, literal_text


def parts(expr: ir.HeadArg) -> Iterator[ir.HeadArg]:
    """An expression and everything inside it."""
    yield expr
    match expr:
        case ir.Unary(_, operand) | ir.Field(operand):
            yield from parts(operand)
        case ir.Binary(_, left, right):
            yield from parts(left)
            yield from parts(right)
        case ir.Call(_, args) | ir.TupleExpr(args) | ir.SetExpr(args):
            for arg in args:
                yield from parts(arg)
        case ir.Method(_, receiver, args):
            yield from parts(receiver)
            for arg in args:
                yield from parts(arg)
        case ir.Size(of) if not isinstance(of, str):
            yield from parts(of)
        case ir.MapExpr(items):
            for key, value in items:
                yield from parts(key)
                yield from parts(value)
        case ir.Aggregate(_, value, by):
            if value is not None:
                yield from parts(value)
            if by is not None:
                yield from parts(by)


def variables_of(expr: ir.HeadArg) -> frozenset[str]:
    """The names of an expression's variables."""
    if isinstance(expr, ir.Var):
        return frozenset((expr.name,))
    return frozenset(part.name for part in parts(expr) if isinstance(part, ir.Var))


def literal_variables(literal: ir.Literal) -> frozenset[str]:
    """The names of a literal's variables."""
    match literal:
        case ir.Atom(_, args):
            return frozenset().union(*(variables_of(arg) for arg in args))
        case ir.Condition(test):
            return variables_of(test)
        case ir.Each(items, source):
            return variables_of(source).union(*(variables_of(item) for item in items))
    raise TypeError(f"not a literal: {literal!r}")


def _ready(literal: ir.Literal, bound: set[str]) -> ir.Literal | None:
    """The literal, turned so that what it binds stands on the left, if it can run now."""
    match literal:
        case ir.Atom(_, args, negated):
            if negated:
                return literal if literal_variables(literal) <= bound else None
            own = {arg.name for arg in args if isinstance(arg, ir.Var)}
            tested = [variables_of(arg) for arg in args if not isinstance(arg, ir.Var)]
            return literal if all(names <= bound | own for names in tested) else None
        case ir.Each(items, source):
            own = {item.name for item in items if isinstance(item, ir.Var)}
            needed = variables_of(source).union(
                *(variables_of(item) for item in items if not isinstance(item, ir.Var))
            )
            return literal if needed <= bound | own and variables_of(source) <= bound else None
        case ir.Condition(test):
            if variables_of(test) <= bound:
                return literal
            if isinstance(test, ir.Binary) and test.op == "==":
                for var, expr in ((test.left, test.right), (test.right, test.left)):
                    if isinstance(var, ir.Var) and variables_of(expr) <= bound:
                        if var is test.left:
                            return literal
                        return ir.Condition(ir.Binary("==", var, expr), literal.span)
            return None
    raise TypeError(f"not a literal: {literal!r}")


def _binds_nothing(literal: ir.Literal, bound: set[str]) -> bool:
    return literal_variables(literal) <= bound


def order_body(rule: ir.Rule) -> tuple[ir.Literal, ...]:
    """The body in an order that binds before it uses.

    Literals keep their written order where they can; tests run as soon as
    their variables are bound.  A condition that binds a variable comes back
    with that variable on its left.  Raises ProgramError if there is no such
    order, or if the head or a negation uses a variable that nothing binds.
    """
    bound: set[str] = set()
    ordered: list[ir.Literal] = []
    waiting = list(rule.body)
    while waiting:
        ready = [(literal, turned) for literal in waiting if (turned := _ready(literal, bound))]
        if not ready:
            raise _unbound(rule, waiting, bound)
        literal, turned = next((pair for pair in ready if _binds_nothing(pair[0], bound)), ready[0])
        waiting = [other for other in waiting if other is not literal]
        ordered.append(turned)
        bound |= literal_variables(literal)
    for arg in rule.args:
        missing = sorted(variables_of(arg) - bound)
        if missing:
            raise _head_unbound(rule, arg, missing[0], bound)
    return tuple(ordered)


def _head_unbound(rule: ir.Rule, arg: ir.HeadArg, name: str, bound: set[str]) -> ProgramError:
    inside = f" (in `{expr_text(arg)}`)" if not isinstance(arg, ir.Var) else ""
    known = ", ".join(f"`{other}`" for other in sorted(bound))
    mend = f"the body binds {known}" if known else "the body binds no variable"
    return ProgramError(
        rule.span,
        f"`{name}` in the head{inside} is not bound by the body",
        f"name it in a positive literal of the body; {mend}",
    )


def _unbound(rule: ir.Rule, waiting: list[ir.Literal], bound: set[str]) -> ProgramError:
    """Why none of the waiting literals can run."""
    others: set[str] = set()
    for literal in waiting:
        if isinstance(literal, ir.Atom) and not literal.negated:
            others |= literal_variables(literal)
    for literal in waiting:
        if isinstance(literal, ir.Atom) and literal.negated:
            missing = sorted(literal_variables(literal) - bound - others)
            if missing:
                name = missing[0]
                return ProgramError(
                    rule.span,
                    f"unsafe negation: nothing outside `{literal_text(literal)}` binds `{name}`",
                    f'write `_` for "any", or name `{name}` in a positive literal of the body',
                )
    # What only waits for another literal is not the cause.
    literal = min(waiting, key=lambda lit: isinstance(lit, ir.Atom))
    missing = sorted(literal_variables(literal) - bound)
    listed = ", ".join(f"`{name}`" for name in missing)
    text = literal_text(literal)
    if isinstance(literal, ir.Each):
        listed = ", ".join(f"`{n}`" for n in sorted(variables_of(literal.source) - bound)) or listed
    kind = {ir.Condition: "the condition ", ir.Each: ""}.get(type(literal), "the literal ")
    return ProgramError(
        rule.span,
        f"{kind}`{text}` uses {listed}, which nothing binds",
        "name it in a positive literal of the body, or bind it: `(z == x + y)`",
    )
