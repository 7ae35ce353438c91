"""SQL's column types as ours; what has no exact counterpart is refused."""

from __future__ import annotations

from sqlglot import exp

from bloomish import ir
from bloomish.ir import Span
from bloomish.readers.refusal import refusal
from bloomish.readers.sql.model import TypeName

_T = exp.DataType.Type
_TYPES: dict[object, TypeName] = {
    _T.INT: "int", _T.BIGINT: "int", _T.SMALLINT: "int", _T.TINYINT: "int", _T.MEDIUMINT: "int",
    _T.UINT: "int", _T.USMALLINT: "int", _T.UTINYINT: "int", _T.SERIAL: "int",
    _T.BIGSERIAL: "int", _T.SMALLSERIAL: "int", _T.DOUBLE: "float", _T.TEXT: "str",
    _T.VARCHAR: "str", _T.NVARCHAR: "str", _T.BOOLEAN: "bool", _T.VARBINARY: "bytes",
    _T.BLOB: "bytes", _T.BINARY: "bytes",
}  # fmt: skip
_MENDS = {
    _T.DECIMAL: "write BIGINT and count in the smallest unit, or DOUBLE",
    _T.FLOAT: "write DOUBLE: 32-bit floats would give other results",
    _T.CHAR: "write VARCHAR: CHAR pads with blanks in some dialects",
    _T.UBIGINT: "write BIGINT", _T.INT128: "write BIGINT",
}  # fmt: skip


def sql_type(kind: exp.DataType | None, span: Span) -> TypeName:
    """The type of a declared column."""
    if kind is None:
        raise refusal(span, "a column without a type", "give it one")
    name = _TYPES.get(kind.this) if not kind.args.get("nested") else None
    if name is None:
        mend = _MENDS.get(kind.this, "write text or a number; verdicts need no types")
        raise refusal(
            span, f"no rules for the type {kind.sql()}: it has no exact counterpart", mend
        )
    return name


def from_ir(type_: ir.Type) -> TypeName | None:
    """The type of a column of a Program, if SQL can compute with it."""
    if isinstance(type_, ir.Plain):
        if type_.name == "Address":
            return "str"
        for name in ("int", "float", "str", "bytes", "bool"):
            if type_.name == name:
                return name
    return None
