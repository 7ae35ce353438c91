"""Text to clauses: pyDatalog is Python syntax, so Python's own parser reads it.

pyDatalog executes its text; this reader looks at the tree instead, and says no
to whatever would need executing.  Which name is what follows pyDatalog's
`pyParser.Term`: upper-case and `_` first letters are variables, all other
names the strings of their letters.
"""

from __future__ import annotations

import ast
import re

from bloomish.errors import ProgramError
from bloomish.ir import Span
from bloomish.readers.pydatalog.clauses import C, Clause, Fact, Query, Source
from bloomish.readers.pydatalog.heads import Heads
from bloomish.readers.refusal import refusal

_SETUP = {"create_terms", "create_atoms", "create_symbols"}


def parse(text: str, filename: str = "") -> Source:
    """Read a program; facts end as they stand after the last statement."""
    tree, where = _tree(text, filename)
    reader = _Statements(where)
    for statement in tree.body:
        reader.statement(statement)
    return Source(tuple(reader.facts.values()), tuple(reader.clauses), tuple(reader.queries))


def parse_query(text: str) -> Query:
    """Read one query, such as `path('a', Y)` or `p(X) & (X > 1)`."""
    tree, where = _tree(text.strip(), "query")
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        raise refusal(Span("query", 1, 1, text), "a query is one literal or literals joined by &")
    return Query(Heads(where).body(tree.body[0].value), where.span(tree.body[0]))


class Where:
    """Places in the original text, of which the common indentation was cut off."""

    def __init__(self, lines: list[str], filename: str, indent: int) -> None:
        self.lines = lines
        self.filename = filename
        self.indent = indent

    def span(self, node: ast.stmt | ast.expr) -> Span:
        end = node.end_lineno or node.lineno
        text = "\n".join(self.lines[node.lineno - 1 : end])
        column = len(
            self.lines[node.lineno - 1].encode()[: node.col_offset].decode(errors="replace")
        )
        return Span(self.filename, node.lineno, column + self.indent + 1, text.strip())


def _tree(text: str, filename: str) -> tuple[ast.Module, Where]:
    lines = text.splitlines()
    indent = ""
    for line in lines:
        if line.strip() and not line.lstrip().startswith("#"):
            indent = line[: len(line) - len(line.lstrip())]
            break
    lines = [line.removeprefix(indent) for line in lines]
    # A comment may be indented less than the clauses; Python does not mind.
    try:
        tree = ast.parse("\n".join(lines), filename or "<pydatalog>")
    except SyntaxError as error:
        number = error.lineno or 1
        line = lines[number - 1] if 0 < number <= len(lines) else ""
        span = Span(filename, number, (error.offset or 1) + len(indent), line.strip())
        raise refusal(span, f"this is not pyDatalog text: {error.msg}") from error
    return tree, Where(lines, filename, len(indent))


class _Statements:
    """One pass over the statements, in the order in which pyDatalog executes them."""

    def __init__(self, where: Where) -> None:
        self.where = where
        self.heads = Heads(where)
        self.facts: dict[object, Fact] = {}
        self.clauses: list[Clause] = []
        self.queries: list[Query] = []

    def statement(self, node: ast.stmt) -> None:
        self.heads.begin()
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._only_pydatalog(node)
        elif isinstance(node, ast.Pass):
            return
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            self._assign(node, node.targets[0])
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                self._delete(target)
        elif isinstance(node, ast.Expr):
            self._expression(node.value)
        else:
            kind = type(node).__name__.lower()
            raise self._no(
                node, f"a Python {kind} statement is not a clause", "write out the clauses"
            )

    # ------------------------------------------------------------ statements

    def _expression(self, node: ast.expr) -> None:
        match node:
            case ast.Constant(value=str()):
                return  # a docstring
            case ast.UnaryOp(op=ast.UAdd(), operand=fact):
                self._assert(self.heads.fact(fact, self.where.span(node)))
            case ast.UnaryOp(op=ast.USub(), operand=ast.Compare(ops=[ast.LtE()]) as clause):
                gone = self.heads.clause(clause)
                self.clauses = [c for c in self.clauses if _shape(c) != _shape(gone)]
            case ast.UnaryOp(op=ast.USub(), operand=fact):
                self._retract(self.heads.fact(fact, self.where.span(node), gone=True))
            case ast.Compare(ops=[ast.LtE()], left=left) if self.heads.is_head(left):
                self._settled(node)
                self.clauses.append(self.heads.clause(node))
            case ast.Call(func=ast.Name(id="print" | "ask"), args=[query], keywords=[]):
                self._expression(query)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="pyDatalog"), attr=attr), args=args):
                self._module_call(node, attr, args)
            case ast.Call(func=ast.Name(id=name)) if name in _SETUP:
                return
            case _:
                self.queries.append(Query(self.heads.body(node), self.where.span(node)))

    def _module_call(self, node: ast.expr, attr: str, args: list[ast.expr]) -> None:
        if attr in _SETUP:
            return
        if attr == "clear":
            self.facts, self.clauses, self.queries = {}, [], []
        elif attr == "ask" and args and isinstance(args[0], ast.Constant):
            self.queries.append(parse_query(str(args[0].value)))
        else:
            raise self._no(node, f"pyDatalog.{attr}(...) is not part of a clause text")

    def _assign(self, node: ast.Assign, target: ast.expr) -> None:
        if isinstance(target, ast.Name) and _makes_terms(node.value):
            return
        if isinstance(target, ast.Tuple) and _makes_terms(node.value):
            return
        if isinstance(target, ast.Name):
            value = self.heads.term(node.value)
            if isinstance(value, C):
                self.heads.constants[target.id] = value.value
                return
        if not isinstance(target, ast.Subscript):
            raise self._no(node, "only a function's value can be assigned, as in f['a'] = 1")
        self._settled(node)
        made = self.heads.assignment(target, node.value, self.where.span(node))
        if isinstance(made, Fact):
            self._assert(made)
        else:
            self.clauses.append(made)

    def _delete(self, target: ast.expr) -> None:
        self._retract(self.heads.deletion(target, self.where.span(target)))

    def _assert(self, fact: Fact) -> None:
        if self.queries:
            raise self._after(fact.span)
        self.facts.pop(_key(fact), None)  # replaced, and last in order
        self.facts[_key(fact)] = fact

    def _retract(self, fact: Fact) -> None:
        if self.queries:
            raise self._after(fact.span)
        self.facts.pop(_key(fact), None)

    # --------------------------------------------------------------- refusals

    def _settled(self, node: ast.stmt | ast.expr) -> None:
        if self.queries:
            raise self._after(self.where.span(node))

    def _after(self, span: Span) -> ProgramError:
        return refusal(
            span,
            "a clause follows a query; the program is read whole, so that the query "
            "would be answered with this clause too",
            f"move the query of line {self.queries[0].span.line} to the end",
        )

    def _only_pydatalog(self, node: ast.Import | ast.ImportFrom) -> None:
        names = [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        if any((name or "").split(".")[0] != "pyDatalog" for name in names):
            raise self._no(node, "Python imports cannot be used from clauses")

    def _no(self, node: ast.stmt | ast.expr, what: str, mend: str = "") -> ProgramError:
        return refusal(self.where.span(node), what, mend)


def _key(fact: Fact) -> object:
    """What a fact replaces: equal rows (1 and 1.0 are equal), or a function's equal key."""
    return fact.sig, fact.row[:-1] if fact.sig.function else fact.row


def _shape(clause: Clause) -> object:
    return clause.sig, clause.args, clause.body, clause.agg


def _makes_terms(node: ast.expr) -> bool:
    name = ""
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
    return re.fullmatch(r"(pyDatalog\.)?(create_(terms|atoms|symbols)|variables)", name) is not None
