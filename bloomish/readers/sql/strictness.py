"""No clause is passed over: whatever sqlglot found that the reader does not look
at is refused before anything is compiled."""

from __future__ import annotations

from sqlglot import exp

from bloomish.readers.sql.builder import Builder

_QUERY = "with_ order limit offset"
_KNOWN: dict[type[exp.Expr], str] = {
    exp.Select: f"{_QUERY} expressions distinct from_ joins where group having qualify windows",
    exp.Union: f"{_QUERY} this expression distinct by_name",
    exp.Except: f"{_QUERY} this expression distinct by_name",
    exp.Intersect: f"{_QUERY} this expression distinct by_name",
    exp.Subquery: f"{_QUERY} this alias joins",
    exp.Table: "this alias db catalog joins",
    exp.Join: "this on side kind using method",
    exp.Values: "expressions alias",
    exp.With: "expressions recursive",
    exp.CTE: "this alias materialized",
    exp.TableAlias: "this columns",
    exp.Where: "this",
    exp.Group: "expressions all",
    exp.Having: "this",
    exp.Qualify: "this",
    exp.Distinct: "expressions on",
    exp.Order: "expressions",
    exp.Ordered: "this desc nulls_first",
    exp.Limit: "expression",
    exp.Offset: "expression",
    exp.Fetch: "direction count limit_options",
    exp.Window: "this partition_by order spec alias over",
    exp.Column: "this table db catalog",
    exp.Star: "except_",
    exp.Like: "this expression negate",
    exp.ILike: "this expression negate",
    exp.In: "this expressions query",
    exp.Between: "this low high",
    exp.Is: "this expression",
    exp.Exists: "this",
    exp.Any: "this",
    exp.All: "this",
    exp.Case: "this ifs default",
    exp.If: "this true false",
    exp.Coalesce: "this expressions is_nvl",
    exp.Nullif: "this expression",
    exp.Cast: "this to",
    exp.TryCast: "this to",
    exp.Upper: "this",
    exp.Lower: "this",
    exp.Trim: "this",
    exp.Length: "this",
    exp.Abs: "this",
    exp.Substring: "this start length",
    exp.Div: "this expression typed safe",
    exp.IntDiv: "this expression",
    exp.Mod: "this expression",
    exp.DPipe: "this expression safe",
    exp.Count: "this expressions big_int",
    exp.CountIf: "this",
    exp.Sum: "this",
    exp.Avg: "this",
    exp.Min: "this",
    exp.Max: "this",
    exp.LogicalAnd: "this",
    exp.LogicalOr: "this",
    exp.Filter: "this expression",
    exp.Insert: "this expression conflict returning overwrite alternative where by_name",
    exp.Create: "this kind expression exists properties replace",
    exp.Schema: "this expressions",
}
_CLAUSES = {type_: frozenset(names.split()) for type_, names in _KNOWN.items()}


def nothing_passed_over(tree: exp.Expr, builder: Builder) -> None:
    """Raises `ProgramError` for the first clause that the reader does not know."""
    for node in tree.walk():
        known = _CLAUSES.get(type(node))
        if known is None:
            continue
        for name, value in node.args.items():
            if value and name not in known:
                words = name.strip("_").replace("_", " ").upper()
                shown = value[0] if isinstance(value, list) else value
                at = shown if isinstance(shown, exp.Expr) else node
                raise builder.no(at, f"{words} of {node.key.upper()}")
