"""The picture in Graphviz's DOT, for those who have their own drawing tools."""

from __future__ import annotations

from collections.abc import Iterator

from bloomish.analysis.report.colours import MODE_COLOURS, RED
from bloomish.analysis.report.picture import Box, Picture

SHAPES = {
    "table": "cylinder",
    "channel": "cds",
    "input": "invhouse",
    "output": "house",
    "periodic": "hexagon",
    "const": "note",
    "roster": "note",
}


def render(picture: Picture) -> str:
    """One digraph; ends with a newline."""
    return "\n".join(_lines(picture)) + "\n"


def quoted(text: str) -> str:
    """A DOT string: quotes and backslashes escaped, newlines as left-justified breaks."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\l")
    return f'"{escaped}"'


def _lines(picture: Picture) -> Iterator[str]:
    yield f"digraph {quoted(picture.name)} {{"
    yield '  rankdir=LR; node [fontname="sans-serif", fontsize=11]; edge [fontsize=9];'
    for number, lane in enumerate(picture.lanes):
        inside = [box for box in picture.boxes if box.lane == lane]
        many = len(picture.lanes) > 1
        if many:
            yield f"  subgraph cluster_{number} {{ label={quoted(lane)}; color=grey;"
        for box in inside:
            yield f"    {_node(box)}"
        if many:
            yield "  }"
    for line in picture.lines:
        style = []
        if line.negated:
            style.append("arrowhead=tee")
        if line.later:
            style.append("style=dashed")
        yield f"  {quoted(line.source)} -> {quoted(line.target)} [{', '.join(style)}];"
    yield "}"


def _node(box: Box) -> str:
    fill = MODE_COLOURS[box.mode]
    border = f', color="{RED}", penwidth=3' if box.flagged else ""
    if box.is_rule:
        shape, label = "box", f"{box.title} {box.shape}"
        extra = ", fontsize=9, margin=0.04"
    else:
        shape, label = SHAPES.get(box.shape, "ellipse"), box.title
        extra = ""
        if box.verdict:
            label += f"\n{box.verdict}"
    tip = quoted(box.text)
    return (
        f"{quoted(box.id)} [label={quoted(label)}, shape={shape}, style=filled, "
        f'fillcolor="{fill}"{border}{extra}, tooltip={tip}];'
    )
