"""Tokens to statements: recursive descent, one method per line of the grammar.

    clause   := 'include' STRING ';' | pred ';' | pred ':-' bodyterm (',' bodyterm)* ';'
    bodyterm := pred | expr
    pred     := ['notin'] IDENT '(' [atom (',' atom)*] ')' ['@next' | '@async' | '@' INT]
    atom     := IDENT '<' IDENT '>' | expr
    expr     := sum [('=='|'!='|'<'|'>'|'<='|'>=') sum]
    sum      := mul (('+'|'-') mul)* ;  mul := const (('*'|'/') const)*

Molly's own parser nests expressions to the right, but hands them to C4 as
text, which reads them with the usual precedence; that is what they mean.
"""

from __future__ import annotations

from collections.abc import Sequence

from bloomish.ir import Span
from bloomish.readers.dedalus.lexer import Token, error
from bloomish.readers.dedalus.syntax import (
    ASYNC,
    NEXT,
    AggregateOf,
    Argument,
    Clause,
    Expression,
    Fact,
    Include,
    Name,
    Operation,
    Predicate,
    Statement,
    Test,
    Value,
)

COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")
AGGREGATES = ("count", "max", "min", "sum")
_LARGEST = 2**63 - 1


def parse(tokens: Sequence[Token]) -> list[Statement]:
    """All statements of a token sequence; the first mistake is raised."""
    parser = _Parser(tokens)
    statements = []
    while parser.here.kind != "end":
        statements.append(parser.statement())
    return statements


class _Parser:
    def __init__(self, tokens: Sequence[Token]) -> None:
        last = tokens[-1].span if tokens else Span()
        self._tokens = [*tokens, Token("end", "", last)]
        self._at = 0

    # ------------------------------------------------------------- positions

    @property
    def here(self) -> Token:
        return self._tokens[self._at]

    def peek(self, distance: int) -> Token:
        return self._tokens[min(self._at + distance, len(self._tokens) - 1)]

    def take(self) -> Token:
        token = self.here
        self._at += 1
        return token

    def sees(self, sign: str, distance: int = 0) -> bool:
        token = self.peek(distance)
        return token.kind == "sign" and token.text == sign

    def expect(self, sign: str, where: str) -> Token:
        if not self.sees(sign):
            raise error(self.here.span, f"expected `{sign}` {where}, found {self.found()}", _MEND)
        return self.take()

    def found(self) -> str:
        return "the end of the text" if self.here.kind == "end" else f"`{self.here.text}`"

    # ------------------------------------------------------------ statements

    def statement(self) -> Statement:
        start = self.here
        if start.kind == "name" and start.text == "include" and self.peek(1).kind == "string":
            self.take()
            path = self.take()
            self.expect(";", "after an include")
            return Include(path.text, start.span)
        head = self.predicate(head=True)
        if head.negated:
            raise error(start.span, "a head cannot be negated", "state what the rule derives")
        if self.sees(";"):
            self.take()
            return Fact(head)
        self.expect(":-", "or `;` after a head")
        body = [self.body_term()]
        while self.sees(","):
            self.take()
            body.append(self.body_term())
        self.expect(";", "after a rule's body")
        return Clause(head, tuple(body), start.span)

    def body_term(self) -> Predicate | Test:
        start = self.here
        negation = start.kind == "name" and start.text == "notin" and not self.sees("(", 1)
        if negation or (start.kind == "name" and self.sees("(", 1)):
            return self.predicate(head=False)
        test = self.expression()
        if not isinstance(test, Operation) or test.op not in COMPARISONS:
            raise error(
                start.span,
                "a body holds predicates and comparisons, and this is neither",
                "compare it (`X > 1`) or give it columns (`p(X)`)",
            )
        return Test(test, start.span)

    def predicate(self, head: bool) -> Predicate:
        start = self.here
        negated = start.kind == "name" and start.text == "notin" and not self.sees("(", 1)
        if negated:
            self.take()
        name = self.here
        if name.kind not in ("name", "int") or not self.sees("(", 1):
            raise error(name.span, f"expected a predicate, found {self.found()}", _MEND)
        self.take()
        self.take()
        args: list[Argument] = []
        if not self.sees(")"):
            args.append(self.argument(head))
            while self.sees(","):
                self.take()
                args.append(self.argument(head))
        self.expect(")", f"after the columns of {name.text}")
        return Predicate(name.text, tuple(args), negated, self.time(), start.span)

    def time(self) -> str | int | None:
        if not self.sees("@"):
            return None
        self.take()
        token = self.take()
        if token.kind == "int":
            return _integer(token)
        if token.kind == "name" and token.text in (NEXT, ASYNC):
            return token.text
        raise error(
            token.span,
            f"`@{token.text}` is not a time",
            "a time is `@next`, `@async` or a number such as `@1`",
        )

    # ----------------------------------------------------------- expressions

    def argument(self, head: bool) -> Argument:
        start = self.here
        if start.kind == "name" and self.sees("<", 1) and self.sees(">", 3):
            if not head:
                raise error(
                    start.span,
                    "an aggregate stands in a head only",
                    "aggregate in a rule of its own and read its head here",
                )
            return self.aggregate()
        argument = self.expression()
        if isinstance(argument, Operation) and argument.op in COMPARISONS:
            raise error(
                argument.span, "a comparison is not a column", "make it a body term of its own"
            )
        return argument

    def aggregate(self) -> AggregateOf:
        function = self.take()
        self.take()
        variable = self.take()
        self.take()
        if function.text not in AGGREGATES:
            raise error(
                function.span,
                f"`{function.text}` is not an aggregate",
                f"the aggregates are {', '.join(AGGREGATES)}",
            )
        if variable.kind != "name" or not Name(variable.text, variable.span).is_variable:
            raise error(
                variable.span, "an aggregate ranges over a variable", "write it capitalised: `X`"
            )
        return AggregateOf(function.text, variable.text, function.span)

    def expression(self) -> Expression:
        left = self.sum()
        if self.here.kind == "sign" and self.here.text in COMPARISONS:
            sign = self.take()
            return Operation(sign.text, left, self.sum(), sign.span)
        return left

    def sum(self) -> Expression:
        left = self.product()
        while self.sees("+") or self.sees("-"):
            sign = self.take()
            left = Operation(sign.text, left, self.product(), sign.span)
        return left

    def product(self) -> Expression:
        left = self.constant()
        while self.sees("*") or self.sees("/"):
            sign = self.take()
            left = Operation(sign.text, left, self.constant(), sign.span)
        return left

    def constant(self) -> Expression:
        token = self.here
        if token.kind == "string":
            return Value(self.take().text, token.span)
        if token.kind == "int":
            return Value(_integer(self.take()), token.span)
        if token.kind == "name" and not self.sees("(", 1):
            return Name(self.take().text, token.span)
        raise error(token.span, f"expected a variable or a constant, found {self.found()}", _MEND)


_MEND = 'a clause is `head(X) :- body(X, _), notin other(X), X > 1;` or a fact `p("a", 1)@1;`'


def _integer(token: Token) -> int:
    number = int(token.text)
    if number > _LARGEST:
        raise error(token.span, f"{token.text} does not fit 64 bits", "use a smaller number")
    return number
