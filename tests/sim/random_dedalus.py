"""Random Dedalus programs: relations in layers, so that negation within a tick stratifies."""

from __future__ import annotations

import random

LAYERS = ("p0", "p1", "p2", "p3")


def random_program(seed: int, nodes: tuple[str, ...]) -> str:
    """A program over binary relations p0..p3 with `pre` and `post`; col 0 is a node."""
    chance = random.Random(seed)
    lines = [f'peer("{a}", "{b}")@1;' for a in nodes for b in nodes]
    lines.append("peer(A, B)@next :- peer(A, B);")
    for _ in range(chance.randint(1, 3)):
        time = chance.choice((1, 1, 1, 2))
        lines.append(f'e("{chance.choice(nodes)}", "{chance.choice("xy")}")@{time};')
    if chance.random() < 0.6:
        lines.append("e(A, X)@next :- e(A, X);")
    for layer in LAYERS:
        for _ in range(chance.randint(1, 3)):
            lines.append(_rule(chance, layer))
        if chance.random() < 0.6:
            lines.append(f"{layer}(A, X)@next :- {layer}(A, X){_denial(chance)};")
    top = chance.choice(LAYERS[1:])
    lines.append(f"post(A, X) :- {top}(A, X){_denial(chance, True)};")
    guards = ["notin crash(A, A, _)", "notin e(A, X)@1", "notin p0(A, _)", "p1(A, X)"]
    some = chance.sample(guards, chance.randint(0, 2))
    lines.append(f"pre(A, X) :- {', '.join(['peer(A, A)', 'e(_, X)', *some])};")
    return "\n".join(lines)


def _denial(chance: random.Random, oracle: bool = False) -> str:
    if chance.random() < 0.5:
        return ""
    forms = [f"notin {chance.choice(LAYERS)}(A, _)", f"notin {chance.choice(LAYERS)}(A, X)"]
    if oracle:
        forms += [
            "notin crash(_, A, _)",
            "notin crash(A, A, _)",
            "peer(A, B), notin crash(A, B, _)",
        ]
    else:
        forms.append(f"notin {chance.choice(LAYERS)}(_, X)")
    return ", " + chance.choice(forms)


def _rule(chance: random.Random, layer: str) -> str:
    number = int(layer[1])
    below = ["e", *LAYERS[:number]]
    source = chance.choice(below)
    kind = chance.random()
    if kind < 0.45:
        head = chance.choice(("B", "A"))
        any_layer = chance.choice(["e", *LAYERS])
        denial = _denial(chance)
        if head == "B":
            return f"{layer}(B, X)@async :- {any_layer}(A, X), peer(A, B){denial};"
        return f"{layer}(A, X)@next :- {any_layer}(A, X){denial};"
    if kind < 0.6:
        name = chance.choice(("count", "max", "min"))
        operator = chance.choice(("", "@next", "@async")) if name == "count" else ""
        if name == "count":
            lines = f"c{layer}(A, count<X>){operator} :- {source}(A, X);"
            enough = chance.choice(("N > 1", "N == 1", "N < 2"))
            return f"{lines}\n{layer}(A, X) :- c{layer}(A, N), e(_, X), {enough};"
        return f"{layer}(A, {name}<X>) :- {source}(A, X);"
    denied = chance.choice(below)
    negation = chance.choice(("", f", notin {denied}(A, X)", f", notin {denied}(A, _)"))
    if kind < 0.7:
        return (
            f"{layer}(A, X) :- {source}(A, X), peer(A, B), {chance.choice(below)}(B, X){negation};"
        )
    if kind < 0.75:
        return f"{layer}(A, X) :- notin {denied}(A, X), e(_, X);"
    return f"{layer}(A, X) :- {source}(A, X){negation};"
