"""Two schedules of the same messages, one above the other: a witness as an HTML page.

Ticks stand in columns, the same column for the same number in both, so that
the eye finds where they part; the first tick that differs is marked.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from itertools import zip_longest

from bloomish.runtime.sim.explore.witness import Schedule, Searched, TickLine, Witness

STEP, GAP, LEFT, TOP = 92, 46, 130, 34
_STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 24px; color: #1d2733; background: #fff; }
h2 { margin: 28px 0 4px; } h3 { margin: 12px 0 0; font-size: 14px; }
svg { display: block; font: 12px system-ui, sans-serif; }
ol { margin: 4px 0 12px; } code, td { font: 12px/1.5 ui-monospace, monospace; }
.mark { background: #fdf0cf; } table { border-collapse: collapse; margin: 8px 0; }
td, th { border: 1px solid #c9d2dc; padding: 3px 9px; text-align: left; }
.bounds { color: #6c7a89; }
"""


def pair_page(title: str, found: Sequence[tuple[str, Searched]]) -> str:
    """A page with a section for each point of order: its name and text, what was found."""
    sections = "\n".join(_section(name, searched) for name, searched in found)
    head = html.escape(title)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{head}</title><style>{_STYLE}</style></head>
<body><h1>{head}: schedules that end differently</h1>
{sections}
</body></html>
"""


def _section(name: str, searched: Searched) -> str:
    lines = [f"<h2>{html.escape(name)}</h2>"]
    bounds = html.escape(f"{searched.states:,} states explored: {searched.bounds}")
    if searched.witness is None:
        lines.append(f"<p>Unconfirmed: no two schedules that end differently. {bounds}</p>")
        return "\n".join(lines)
    witness = searched.witness
    lines.append(f'<p class="bounds">{bounds}</p>')
    lines += _differences(witness)
    nodes = list(
        dict.fromkeys(
            tick.node for ticks in (witness.first.ticks, witness.second.ticks) for tick in ticks
        )
    )
    part = first_difference(witness)
    for label, schedule in (("first", witness.first), ("second", witness.second)):
        lines.append(f"<h3>the {label} schedule</h3>")
        lines.append(_drawing(schedule, nodes, part))
        lines.append("<ol>")
        for number, tick in enumerate(schedule.ticks):
            mark = ' class="mark"' if number == part else ""
            lines.append(f"<li{mark}><code>{html.escape(str(tick))}</code></li>")
        lines.append("</ol>")
    return "\n".join(lines)


def _differences(witness: Witness) -> list[str]:
    rows = [
        f"<tr><td>{html.escape(f'{one.collection} at {one.node}')}</td>"
        f"<td>{_rows(one.first)}</td><td>{_rows(one.second)}</td></tr>"
        for one in witness.differences
    ]
    head = "<tr><th>collection</th><th>only in the first</th><th>only in the second</th></tr>"
    return [f"<table>{head}{''.join(rows)}</table>"]


def _rows(rows: Sequence[object]) -> str:
    return "<br>".join(html.escape(repr(row)) for row in rows) or "nothing"


def first_difference(witness: Witness) -> int:
    """The number of the first tick in which the two schedules part."""
    pairs = zip_longest(witness.first.ticks, witness.second.ticks)
    return next((number for number, (one, other) in enumerate(pairs) if one != other), -1)


def _drawing(schedule: Schedule, nodes: Sequence[str], part: int) -> str:
    width = LEFT + STEP * max(1, len(schedule.ticks)) + 20
    height = TOP + GAP * len(nodes)
    y = {node: TOP + GAP // 2 + GAP * number for number, node in enumerate(nodes)}
    out = [f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}">']
    out.append(
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="#2f6fb3"/></marker></defs>'
    )
    if 0 <= part < len(schedule.ticks):
        x = LEFT + STEP * part
        out.append(
            f'<rect x="{x - STEP // 2 + 6}" y="4" width="{STEP - 12}" height="{height - 8}" '
            'fill="#fdf0cf"/>'
        )
    for node in nodes:
        out.append(f'<text x="8" y="{y[node] + 4}">{html.escape(node)}</text>')
        out.append(f'<path d="M{LEFT - 20} {y[node]}H{width - 10}" stroke="#c9d2dc"/>')
    sent: dict[tuple[str, str, object], int] = {}
    for number, tick in enumerate(schedule.ticks):
        out += _tick(number, tick, sent, schedule.ticks, y)
        for to, collection, row in tick.sent:
            sent[to, collection, row] = number
    out.append("</svg>")
    return "\n".join(out)


def _tick(
    number: int,
    tick: TickLine,
    sent: dict[tuple[str, str, object], int],
    ticks: Sequence[TickLine],
    y: dict[str, int],
) -> list[str]:
    x, here = LEFT + STEP * number, y[tick.node]
    out = []
    for place, (collection, row) in enumerate(tick.taken):
        told = html.escape(f"{collection}{row!r}")
        source = sent.get((tick.node, collection, row))
        if source is None:  # from outside
            line = f"M{x - 14 + 9 * place} {here - 24}L{x} {here - 5}"
        else:
            line = f"M{LEFT + STEP * source} {y[ticks[source].node]}L{x} {here}"
        out.append(
            f'<path d="{line}" stroke="#2f6fb3" fill="none" marker-end="url(#tip)">'
            f"<title>{told}</title></path>"
        )
    colour = "#c8372d" if tick.crash else "#1d2733"
    out.append(
        f'<circle cx="{x}" cy="{here}" r="5" fill="{colour}">'
        f"<title>{html.escape(str(tick))}</title></circle>"
        f'<text x="{x + 8}" y="{here + 17}" fill="#6c7a89">{number + 1}</text>'
    )
    return out
