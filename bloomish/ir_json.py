"""IR as JSON and back; stable: the same IR is the same text.

An object is its fields with its class under "is"; fields at their defaults are
left out.  Values of the language keep their kind: a tuple is {"tuple": [...]},
a set {"set": [...]} in value order, bytes {"bytes": hex}, an infinite float
{"float": "inf"}; 1 is an int and 1.0 a float.
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from bloomish import ir
from bloomish.errors import BloomishError
from bloomish.order import order_key

FORMAT = 1

CLASSES: dict[str, type[Any]] = {
    name: cls
    for name, cls in vars(ir).items()
    if isinstance(cls, type) and dataclasses.is_dataclass(cls)
}
_FIELDS = {name: {f.name: f for f in dataclasses.fields(cls)} for name, cls in CLASSES.items()}


def to_json(value: Any, *, spans: bool = True, indent: int | None = None) -> str:
    """Any IR object as JSON text; without `spans`, independent of where it was written."""
    encoded = _encode(value, spans)
    if isinstance(encoded, dict):
        encoded = {"bloomish_ir": FORMAT, **encoded}
    return json.dumps(encoded, indent=indent, ensure_ascii=False, allow_nan=False)


def from_json(text: str) -> Any:
    """The IR object that `to_json` wrote; raises BloomishError for anything else."""
    try:
        read = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise BloomishError(f"not JSON: {error}") from None
    except RecursionError:
        raise BloomishError("not an IR: nested too deeply") from None
    if not isinstance(read, dict) or "is" not in read:
        raise BloomishError('not an IR: an object with "is" was expected')
    version = read.pop("bloomish_ir", None)
    if version != FORMAT:
        raise BloomishError(f"not an IR of format {FORMAT}: bloomish_ir is {version!r}")
    return _decode(read)


def _no_constant(name: str) -> Any:
    raise BloomishError(f"not an IR: {name} is not a value")


def _encode(value: Any, spans: bool) -> Any:
    if isinstance(value, tuple):
        return [_encode(item, spans) for item in value]
    name = type(value).__name__
    if CLASSES.get(name) is not type(value):
        return value  # a field's str, int, float, bool or None
    found: dict[str, Any] = {"is": name}
    for field in _FIELDS[name].values():
        part = getattr(value, field.name)
        if isinstance(part, ir.Span):
            if spans and part != ir.Span():
                found[field.name] = _encode(part, spans)
        elif name == "Const":
            found["value"] = encode_value(part)
        elif name == "Facts" and field.name == "rows":
            found["rows"] = [[encode_value(cell) for cell in row] for row in part]
        elif part != field.default:
            found[field.name] = _encode(part, spans)
    return found


def encode_value(value: object) -> Any:
    """A value of the language as JSON data."""
    if isinstance(value, tuple):
        return {"tuple": [encode_value(item) for item in value]}
    if isinstance(value, frozenset):
        return {"set": [encode_value(item) for item in sorted(value, key=order_key)]}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, float) and math.isinf(value):
        return {"float": "inf" if value > 0 else "-inf"}
    return value


def decode_value(data: Any) -> object:
    """The value that `encode_value` wrote."""
    if isinstance(data, dict) and len(data) == 1:
        ((kind, inside),) = data.items()
        if kind == "tuple" and isinstance(inside, list):
            return tuple(map(decode_value, inside))
        if kind == "set" and isinstance(inside, list):
            return frozenset(map(decode_value, inside))
        if kind == "bytes" and isinstance(inside, str):
            try:
                return bytes.fromhex(inside)
            except ValueError:
                raise BloomishError(f"not an IR: bytes {inside!r} are not hexadecimal") from None
        if kind == "float" and inside in ("inf", "-inf"):
            return float(inside)
    if isinstance(data, (dict, list)):
        raise BloomishError(f"not an IR: {data!r} is not a value")
    return data


def _decode(data: Any) -> Any:
    if isinstance(data, list):
        return tuple(map(_decode, data))
    if not isinstance(data, dict):
        return data
    name = data.get("is")
    cls = CLASSES.get(name) if isinstance(name, str) else None
    if cls is None:
        raise BloomishError(f"not an IR: no class {name!r}")
    fields = _FIELDS[cls.__name__]
    found: dict[str, Any] = {}
    for key, part in data.items():
        if key == "is":
            continue
        if key not in fields:
            raise BloomishError(f"not an IR: {name} has no field {key!r}")
        if cls is ir.Const:
            found[key] = decode_value(part)
        elif cls is ir.Facts and key == "rows":
            found[key] = _rows(part)
        else:
            found[key] = _decode(part)
    try:
        return cls(**found)
    except TypeError as error:
        raise BloomishError(f"not an IR: {name}: {error}") from None


def _rows(part: Any) -> tuple[tuple[object, ...], ...]:
    if not isinstance(part, list) or not all(isinstance(row, list) for row in part):
        raise BloomishError("not an IR: rows are lists of values")
    return tuple(tuple(map(decode_value, row)) for row in part)
