"""SQL expressions as alternatives: under these conditions, this value.

A value that may be NULL is two alternatives as soon as something is computed
with it: NULL, and the rest with the value narrowed to its type.  CASE, COALESCE
and truth values are alternatives too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

from sqlglot import exp

from bloomish import ir
from bloomish.readers.sql.builder import MOST_CASES, Builder
from bloomish.readers.sql.columns import find
from bloomish.readers.sql.model import NULL, Alt, Cell, Frame, TypeName, common

_NUMBERS = ("int", "float")


def alternatives(node: exp.Expr, frame: Frame, builder: Builder) -> list[Alt]:
    """All the ways in which an expression has a value."""
    known = frame.known.get(node.sql())
    if known is not None:
        return [Alt(known)]
    found = _alternatives(node, frame, builder)
    if len(found) > MOST_CASES:
        raise builder.no(node, "it falls into too many cases of NULL, OR and CASE")
    return found


def _alternatives(node: exp.Expr, frame: Frame, builder: Builder) -> list[Alt]:
    from bloomish.readers.sql.conditions import truth_values
    from bloomish.readers.sql.subqueries import scalar

    match node:
        case exp.Paren() | exp.Alias():
            return alternatives(node.this, frame, builder)
        case exp.Column():
            return [Alt(find(node, frame, builder))]
        case exp.Literal() | exp.Boolean() | exp.Null() | exp.Neg(this=exp.Literal()):
            return [Alt(constant(node, builder))]
        case exp.Subquery() | exp.Select():
            return scalar(node, frame, builder)
        case exp.Case():
            return _case(node, frame, builder)
        case exp.If():
            return _branches(
                [(node.this, node.args["true"])], node.args.get("false"), frame, builder
            )
        case exp.Coalesce():
            return _coalesce([node.this, *node.expressions], frame, builder)
        case exp.Nullif():
            same = exp.EQ(this=node.this.copy(), expression=node.expression.copy())
            return _branches([(same, exp.Null())], node.this, frame, builder)
        case exp.Predicate() | exp.And() | exp.Or() | exp.Not() | exp.Exists() | exp.In():
            return truth_values(node, frame, builder)
    made = _computed(node, frame, builder)
    if made is not None:
        return made
    if isinstance(node, exp.AggFunc | exp.Window):
        raise builder.no(node, f"{node.sql()} cannot stand here")
    if isinstance(node, exp.Anonymous):
        raise builder.no(node, f"the function {node.name}", "rules know only SQL's common ones")
    raise builder.no(node, f"{node.key.upper()} is not among the expressions that become rules")


# --------------------------------------------------------------------- constants


def constant(node: exp.Expr, builder: Builder) -> Cell:
    """A literal's value."""
    match node:
        case exp.Null():
            return Cell(NULL, "null", "yes")
        case exp.Boolean():
            return Cell(ir.Const(bool(node.this)), "bool")
        case exp.Neg(this=exp.Literal() as inner) if not inner.is_string:
            cell = constant(inner, builder)
            assert isinstance(cell.expr, ir.Const) and isinstance(cell.expr.value, int | float)
            return Cell(ir.Const(-cell.expr.value), cell.type)
        case exp.Literal() if node.is_string:
            return Cell(ir.Const(str(node.this)), "str")
        case exp.Literal():
            text = str(node.this)
            if text.isdigit():
                value = int(text)
                if value >= 2**63:
                    raise builder.no(node, f"{text} does not fit in 64 bits")
                return Cell(ir.Const(value), "int")
            return Cell(ir.Const(float(text)), "float")
    raise builder.no(node, f"{node.sql()} is not a constant")


def is_decimal(node: exp.Expr) -> bool:
    """A literal such as 1.5, which SQL takes for an exact decimal (1.5e0 is a DOUBLE)."""
    inner = node.this if isinstance(node, exp.Neg | exp.Paren) else node
    if not isinstance(inner, exp.Literal) or inner.is_string:
        return False
    return "." in str(inner.this) and "e" not in str(inner.this).lower()


# ------------------------------------------------------------------------- nulls


def is_null(expr: ir.Expr) -> ir.Expr:
    """`expr IS NULL`."""
    return ir.Binary("==", expr, NULL)


def not_null(expr: ir.Expr) -> ir.Expr:
    """`expr IS NOT NULL`."""
    return ir.Binary("!=", expr, NULL)


def narrowed(cell: Cell, builder: Builder) -> ir.Expr:
    """The value of a cell that is not NULL, with its own type."""
    if cell.null == "no" or cell.type == "null":
        return cell.expr
    return builder.call(f"sql_{cell.type}_of", cell.expr)


def present(alt: Alt, builder: Builder) -> Alt | None:
    """The part of an alternative in which the value is not NULL."""
    if alt.cell.null == "yes":
        return None
    if alt.cell.null == "no":
        return alt
    guard = ir.Condition(not_null(alt.cell.expr))
    return Alt(Cell(narrowed(alt.cell, builder), alt.cell.type), (*alt.when, guard))


def absent(alt: Alt) -> Alt | None:
    """The part of an alternative in which the value is NULL."""
    if alt.cell.null == "no":
        return None
    if alt.cell.null == "yes":
        return alt
    guard = ir.Condition(is_null(alt.cell.expr))
    return Alt(Cell(NULL, alt.cell.type, "yes"), (*alt.when, guard))


def strict(
    parts: Sequence[exp.Expr],
    frame: Frame,
    builder: Builder,
    compute: Callable[[tuple[Cell, ...]], Cell],
) -> list[Alt]:
    """A function that is NULL where any of its arguments is."""
    choices = [alternatives(part, frame, builder) for part in parts]
    made: list[Alt] = []
    for combination in product(*choices):
        full = [present(alt, builder) for alt in combination]
        whole = [alt for alt in full if alt is not None]
        if len(whole) == len(full):
            cell = compute(tuple(alt.cell for alt in whole))
            made.append(Alt(cell, _together(whole)))
        for place, alt in enumerate(combination):
            missing = absent(alt)
            if missing is None:
                continue
            # The first argument that is NULL; those before it are not.
            before = [present(one, builder) for one in combination[:place]]
            kept = [one for one in before if one is not None]
            if len(kept) != len(before):
                continue
            after = [one for one in combination[place + 1 :] if one.when]
            when = _together([*kept, missing, *after])
            made.append(Alt(Cell(NULL, compute_type(compute, combination), "yes"), when))
    return _merged(made)


def compute_type(
    compute: Callable[[tuple[Cell, ...]], Cell], combination: Sequence[Alt]
) -> TypeName:
    """The type of a function's result, whatever its arguments are."""
    cells = tuple(Cell(alt.cell.expr, alt.cell.type) for alt in combination)
    if any(cell.type == "null" for cell in cells):
        return "null"
    return compute(cells).type


def _together(alts: Sequence[Alt]) -> tuple[ir.Literal, ...]:
    return tuple(dict.fromkeys(literal for alt in alts for literal in alt.when))


def _merged(alts: list[Alt]) -> list[Alt]:
    return list(dict.fromkeys(alts))


# --------------------------------------------------------------------- operations


def _computed(node: exp.Expr, frame: Frame, builder: Builder) -> list[Alt] | None:
    def use(*parts: exp.Expr, by: Callable[[tuple[Cell, ...]], Cell]) -> list[Alt]:
        return strict(parts, frame, builder, by)

    match node:
        case exp.Add() | exp.Sub() | exp.Mul() | exp.Div() | exp.IntDiv() | exp.Mod():
            return use(
                node.this, node.expression, by=lambda cells: _arithmetic(node, cells, builder)
            )
        case exp.Neg():
            return use(
                node.this, by=lambda c: Cell(ir.Unary("-", _number(node, c[0], builder)), c[0].type)
            )
        case exp.DPipe():
            return use(node.this, node.expression, by=lambda c: _joined(node, c, builder))
        case exp.Cast() | exp.TryCast():
            return use(node.this, by=lambda c: _cast(node, c[0], builder))
        case exp.Upper() | exp.Lower() | exp.Trim():
            if node.args.get("expression") or node.args.get("position"):
                return None
            name = f"sql_{node.key}"
            return use(
                node.this, by=lambda c: Cell(builder.call(name, _text(node, c[0], builder)), "str")
            )
        case exp.Length():
            if node.args.get("binary") or node.args.get("encoding"):
                return None
            return use(
                node.this,
                by=lambda c: Cell(builder.call("sql_length", _text(node, c[0], builder)), "int"),
            )
        case exp.Abs():
            return use(node.this, by=lambda c: _absolute(node, c[0], builder))
        case exp.Substring():
            return _substring(node, frame, builder)
    return None


def _arithmetic(node: exp.Expr, cells: tuple[Cell, ...], builder: Builder) -> Cell:
    one, two = (_number(node, cell, builder) for cell in cells)
    types = {cell.type for cell in cells}
    for part, other in ((node.this, cells[1]), (node.expression, cells[0])):
        # Beside a DOUBLE a decimal is turned into one; anywhere else it computes exactly.
        if is_decimal(part) and (other.type != "float" or isinstance(other.expr, ir.Const)):
            raise builder.no(
                part, f"{part.sql()} is an exact decimal here", f"write {part.sql()}e0"
            )
    whole: TypeName = "float" if "float" in types else "int"
    match node:
        case exp.Add():
            return Cell(ir.Binary("+", one, two), whole)
        case exp.Sub():
            return Cell(ir.Binary("-", one, two), whole)
        case exp.Mul():
            return Cell(ir.Binary("*", one, two), whole)
        case exp.Div():
            if node.args.get("typed") and whole == "int":
                return Cell(ir.Binary("div", one, two), "int")
            return Cell(ir.Binary("/", one, two), "float")
        case exp.IntDiv() if whole == "int":
            return Cell(ir.Binary("div", one, two), "int")
        case exp.Mod() if whole == "int":
            # SQL's remainder has the sign of the dividend, Python's that of the divisor.
            times = ir.Binary("*", two, ir.Binary("div", one, two))
            return Cell(ir.Binary("-", one, times), "int")
    raise builder.no(node, f"{node.sql()} of DOUBLE")


def _number(node: exp.Expr, cell: Cell, builder: Builder) -> ir.Expr:
    if cell.type not in _NUMBERS:
        raise builder.no(node, f"{node.sql()} computes with a {cell.type}", "CAST is explicit here")
    return cell.expr


def _text(node: exp.Expr, cell: Cell, builder: Builder) -> ir.Expr:
    if cell.type != "str":
        raise builder.no(node, f"{node.sql()} takes text and is given a {cell.type}")
    return cell.expr


def _joined(node: exp.Expr, cells: tuple[Cell, ...], builder: Builder) -> Cell:
    one, two = (_text(node, cell, builder) for cell in cells)
    return Cell(ir.Binary("+", one, two), "str")


def _absolute(node: exp.Expr, cell: Cell, builder: Builder) -> Cell:
    number = _number(node, cell, builder)
    name = "sql_abs" if cell.type == "int" else "sql_abs_float"
    return Cell(builder.call(name, number), cell.type)


def _cast(node: exp.Cast, cell: Cell, builder: Builder) -> Cell:
    from bloomish.readers.sql.types import sql_type

    wanted = sql_type(node.to, builder.places.of(node))
    if wanted == cell.type:
        return cell
    if wanted == "float" and cell.type == "int":
        return Cell(ir.Binary("*", cell.expr, ir.Const(1.0)), "float")
    if wanted == "str" and cell.type == "int":
        return Cell(builder.call("sql_text", cell.expr), "str")
    what = f"CAST of {cell.type} to {wanted}: dialects round and fail differently"
    raise builder.no(node, what)


def _substring(node: exp.Substring, frame: Frame, builder: Builder) -> list[Alt] | None:
    start, size = node.args.get("start"), node.args.get("length")
    if size is None or not (isinstance(start, exp.Literal) and isinstance(size, exp.Literal)):
        return None
    first, most = constant(start, builder), constant(size, builder)
    return strict(
        [node.this],
        frame,
        builder,
        lambda c: Cell(
            builder.call("sql_substring", _text(node, c[0], builder), first.expr, most.expr), "str"
        ),
    )


# ------------------------------------------------------------------------- choice


def _case(node: exp.Case, frame: Frame, builder: Builder) -> list[Alt]:
    pairs = []
    for branch in node.args["ifs"]:
        test = branch.this
        if node.this is not None:
            test = exp.EQ(this=node.this.copy(), expression=test.copy())
        pairs.append((test, branch.args["true"]))
    return _branches(pairs, node.args.get("default"), frame, builder)


def _branches(
    pairs: Sequence[tuple[exp.Expr, exp.Expr]],
    default: exp.Expr | None,
    frame: Frame,
    builder: Builder,
) -> list[Alt]:
    from bloomish.readers.sql.conditions import cases

    made: list[Alt] = []
    earlier: list[tuple[ir.Literal, ...]] = [()]
    for test, result in pairs:
        for when in cases(test, "true", frame, builder):
            for before in earlier:
                for alt in alternatives(result, frame, builder):
                    made.append(Alt(alt.cell, (*before, *when, *alt.when)))
        nots = cases(test, "not true", frame, builder)
        earlier = [(*before, *when) for before in earlier for when in nots]
    last = (
        [Alt(Cell(NULL, "null", "yes"))]
        if default is None
        else alternatives(default, frame, builder)
    )
    made.extend(Alt(alt.cell, (*before, *alt.when)) for before in earlier for alt in last)
    return _typed(made, pairs[0][1], builder)


def _coalesce(parts: Sequence[exp.Expr], frame: Frame, builder: Builder) -> list[Alt]:
    made: list[Alt] = []
    earlier: list[tuple[ir.Literal, ...]] = [()]
    for part in parts:
        later: list[tuple[ir.Literal, ...]] = []
        for alt in alternatives(part, frame, builder):
            full, missing = present(alt, builder), absent(alt)
            for before in earlier:
                if full is not None:
                    made.append(Alt(full.cell, (*before, *full.when)))
                if missing is not None:
                    later.append((*before, *missing.when))
        earlier = later
    made.extend(Alt(Cell(NULL, "null", "yes"), before) for before in earlier)
    return _typed(made, parts[0], builder)


def _typed(alts: list[Alt], node: exp.Expr, builder: Builder) -> list[Alt]:
    """Alternatives of one expression have one type; whole numbers are widened."""
    type_ = common_type((alt.cell.type for alt in alts), node, builder)
    return _merged([Alt(widened(alt.cell, type_), alt.when) for alt in alts])


def common_type(
    types: Iterator[TypeName] | Sequence[TypeName], node: exp.Expr, builder: Builder
) -> TypeName:
    """One type for all, or a refusal."""
    found: TypeName = "null"
    for type_ in types:
        met = common(found, type_)
        if met is None:
            raise builder.no(node, f"{found} and {type_} meet in one column", "CAST one of them")
        found = met
    return found


def widened(cell: Cell, wanted: TypeName) -> Cell:
    """A cell for a column of the wanted type.  A nullable int is widened where it is known."""
    if cell.type == wanted or cell.null == "yes":
        return Cell(cell.expr, wanted, cell.null)
    if isinstance(cell.expr, ir.Const) and isinstance(cell.expr.value, int):
        return Cell(ir.Const(float(cell.expr.value)), wanted, cell.null)
    return Cell(ir.Binary("*", cell.expr, ir.Const(1.0)), wanted, cell.null)


def fitted(alt: Alt, wanted: TypeName, builder: Builder) -> list[Alt]:
    """An alternative for a column of the wanted type; NULL apart where it must be computed."""
    if alt.cell.null == "maybe" and alt.cell.type != wanted:
        parts = [present(alt, builder), absent(alt)]
        return [Alt(widened(part.cell, wanted), part.when) for part in parts if part is not None]
    return [Alt(widened(alt.cell, wanted), alt.when)]
