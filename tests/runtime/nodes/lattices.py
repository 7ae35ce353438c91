"""One node that keeps values of every sort."""

from bloomish import (
    Any,
    Bool,
    Key,
    MapUnion,
    Max,
    Pair,
    Program,
    SetUnion,
    _,
    input,
    output,
    table,
    variables,
)

key, some, counts, flags, value = variables("key some counts flags value")
FLAGS = Pair(MapUnion(int, Max(str)), Bool)


class Keeper(Program):
    """Merges what it is given, and keeps anything."""

    put = input(key=str, value=Any, some=SetUnion(int), counts=MapUnion(int, Max(int)), flags=FLAGS)
    kept = table(
        key=Key(str),
        some=SetUnion(int),
        counts=MapUnion(int, Max(int)),
        flags=FLAGS,
        durable=True,
    )
    anything = table(key=str, value=Any, durable=True)
    shown = output(key=Key(str), some=SetUnion(int), counts=MapUnion(int, Max(int)), flags=FLAGS)

    kept(key, some, counts, flags) <= put(key, _, some, counts, flags)
    anything(key, value) <= put(key, value, _, _, _)
    shown(key, some, counts, flags) <= kept(key, some, counts, flags)
