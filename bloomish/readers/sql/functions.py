"""The Python behind SQL's functions.  All of them are total: an evaluator may
compute them before the test that makes their result matter."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from bloomish.functions import Function


def sql_int_of(value: Any) -> int:
    """A nullable int as an int; 0 where it is NULL."""
    return value if isinstance(value, int) else 0


def sql_float_of(value: Any) -> float:
    """A nullable float as a float; 0.0 where it is NULL."""
    return float(value) if isinstance(value, int | float) else 0.0


def sql_str_of(value: Any) -> str:
    """A nullable text as a str; empty where it is NULL."""
    return value if isinstance(value, str) else ""


def sql_bool_of(value: Any) -> bool:
    """A nullable boolean as a bool; False where it is NULL."""
    return value is True


def sql_bytes_of(value: Any) -> bytes:
    """Nullable bytes as bytes; empty where NULL."""
    return value if isinstance(value, bytes) else b""


@lru_cache(256)
def _pattern(pattern: str, fold: bool) -> re.Pattern[str]:
    parts = {"%": ".*", "_": "."}
    text = "".join(parts.get(c, re.escape(c)) for c in pattern)
    return re.compile(text, re.DOTALL | (re.IGNORECASE if fold else 0))


def sql_like(text: str, pattern: str) -> bool:
    """`text LIKE pattern`, without an escape character."""
    return _pattern(pattern, False).fullmatch(text) is not None


def sql_ilike(text: str, pattern: str) -> bool:
    """`text ILIKE pattern`."""
    return _pattern(pattern, True).fullmatch(text) is not None


def sql_upper(text: str) -> str:
    """UPPER by ASCII letters; other letters are dialects' own matter."""
    return text.upper() if text.isascii() else "".join(map(_upper, text))


def _upper(letter: str) -> str:
    return letter.upper() if len(letter.upper()) == 1 else letter


def sql_lower(text: str) -> str:
    """LOWER."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def sql_length(text: str) -> int:
    """LENGTH in characters."""
    return len(text)


def sql_substring(text: str, start: int, size: int) -> str:
    """SUBSTRING for a start of 1 or more."""
    return text[start - 1 : start - 1 + size] if start >= 1 and size >= 0 else ""


def sql_trim(text: str) -> str:
    """TRIM of blanks."""
    return text.strip(" ")


def sql_abs(value: int) -> int:
    """ABS of an int."""
    return abs(value)


def sql_abs_float(value: float) -> float:
    """ABS of a float."""
    return abs(value)


def sql_text(value: int) -> str:
    """CAST(int AS VARCHAR)."""
    return str(value)


LIBRARY: dict[str, Callable[..., Any]] = {
    python.__name__: python
    for python in (
        sql_int_of, sql_float_of, sql_str_of, sql_bool_of, sql_bytes_of, sql_like, sql_ilike,
        sql_upper, sql_lower, sql_length, sql_substring, sql_trim, sql_abs, sql_abs_float, sql_text,
    )
}  # fmt: skip
"""By their names in programs."""


@cache
def library(name: str) -> Function:
    """A function as programs declare theirs; the same one for every program."""
    return Function(LIBRARY[name], monotone=False)
