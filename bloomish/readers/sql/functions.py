"""The Python behind SQL's functions.  All of them are total: an evaluator may
compute them before the test that makes their result matter."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from bloomish import ir

_ANY, _INT, _FLOAT = ir.Plain("Any"), ir.Plain("int"), ir.Plain("float")
_STR, _BOOL, _BYTES = ir.Plain("str"), ir.Plain("bool"), ir.Plain("bytes")


def int_of(value: Any) -> int:
    """A nullable int as an int; 0 where it is NULL."""
    return value if isinstance(value, int) else 0


def float_of(value: Any) -> float:
    """A nullable float as a float; 0.0 where it is NULL."""
    return float(value) if isinstance(value, int | float) else 0.0


def str_of(value: Any) -> str:
    """A nullable text as a str; empty where it is NULL."""
    return value if isinstance(value, str) else ""


def bool_of(value: Any) -> bool:
    """A nullable boolean as a bool; False where it is NULL."""
    return value is True


def bytes_of(value: Any) -> bytes:
    """Nullable bytes as bytes; empty where NULL."""
    return value if isinstance(value, bytes) else b""


@lru_cache(256)
def _pattern(pattern: str, fold: bool) -> re.Pattern[str]:
    parts = {"%": ".*", "_": "."}
    text = "".join(parts.get(c, re.escape(c)) for c in pattern)
    return re.compile(text, re.DOTALL | (re.IGNORECASE if fold else 0))


def like(text: str, pattern: str) -> bool:
    """`text LIKE pattern`, without an escape character."""
    return _pattern(pattern, False).fullmatch(text) is not None


def ilike(text: str, pattern: str) -> bool:
    """`text ILIKE pattern`."""
    return _pattern(pattern, True).fullmatch(text) is not None


def upper(text: str) -> str:
    """UPPER by ASCII letters; other letters are dialects' own matter."""
    return text.upper() if text.isascii() else "".join(map(_upper, text))


def _upper(letter: str) -> str:
    return letter.upper() if len(letter.upper()) == 1 else letter


def lower(text: str) -> str:
    """LOWER."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def length(text: str) -> int:
    """LENGTH in characters."""
    return len(text)


def substring(text: str, start: int, size: int) -> str:
    """SUBSTRING for a start of 1 or more."""
    return text[start - 1 : start - 1 + size] if start >= 1 and size >= 0 else ""


def trim(text: str) -> str:
    """TRIM of blanks."""
    return text.strip(" ")


def absolute(value: int) -> int:
    """ABS of an int."""
    return abs(value)


def absolute_float(value: float) -> float:
    """ABS of a float."""
    return abs(value)


def text_of_int(value: int) -> str:
    """CAST(int AS VARCHAR)."""
    return str(value)


LIBRARY: dict[str, tuple[Callable[..., Any], tuple[ir.Type, ...], ir.Type]] = {
    "sql_int_of": (int_of, (_ANY,), _INT),
    "sql_float_of": (float_of, (_ANY,), _FLOAT),
    "sql_str_of": (str_of, (_ANY,), _STR),
    "sql_bool_of": (bool_of, (_ANY,), _BOOL),
    "sql_bytes_of": (bytes_of, (_ANY,), _BYTES),
    "sql_like": (like, (_STR, _STR), _BOOL),
    "sql_ilike": (ilike, (_STR, _STR), _BOOL),
    "sql_upper": (upper, (_STR,), _STR),
    "sql_lower": (lower, (_STR,), _STR),
    "sql_length": (length, (_STR,), _INT),
    "sql_substring": (substring, (_STR, _INT, _INT), _STR),
    "sql_trim": (trim, (_STR,), _STR),
    "sql_abs": (absolute, (_INT,), _INT),
    "sql_abs_float": (absolute_float, (_FLOAT,), _FLOAT),
    "sql_text": (text_of_int, (_INT,), _STR),
}
"""By their names in programs."""
