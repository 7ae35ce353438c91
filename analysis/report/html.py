"""The picture as one HTML file that needs nothing else: SVG, style and script inside.

Collections are boxes in the colour of their mode, rules small boxes between
them; a dashed line takes effect at a later tick, a violet one ends in a
negation.  Points of order are red; hovering shows the way from the channel.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from typing import Any

from bloomish.analysis.report.colours import MODE_COLOURS, MODE_MEANING, RED
from bloomish.analysis.report.layout import Layout, Place, lay_out
from bloomish.analysis.report.picture import Box, Line, Picture
from bloomish.analysis.report.text import gate
from bloomish.analysis.result import Flag, Hop, Verdict
from bloomish.errors import where


def render(picture: Picture) -> str:
    """One page; ends with a newline."""
    return "\n".join(_page(picture)) + "\n"


def _asset(name: str) -> str:
    return files("bloomish.analysis.report").joinpath(name).read_text(encoding="utf-8")


def embedded(data: Any) -> str:
    """JSON that may stand inside a script element: no `<`, no line separators of JavaScript."""
    text = json.dumps(data, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _page(picture: Picture) -> Iterator[str]:
    title = escape(picture.name)
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title>"
    yield f"<style>\n{_asset('picture.css')}</style></head><body>"
    flagged = sum(verdict.word == "needs coordination" for verdict in picture.report.verdicts)
    said = f"{flagged} of {len(picture.report.verdicts)} verdicts need coordination"
    yield f"<header><h1>{title}</h1><span>{said}</span>"
    yield '<input id="find" type="search" placeholder="Find a name or text" aria-label="Find">'
    yield '<button id="fit">Fit</button>'
    yield from _legend(picture)
    yield "</header><main>"
    yield from _svg(picture, lay_out(picture))
    yield "<aside></aside></main>"
    yield f'<script type="application/json" id="data">{embedded(_data(picture))}</script>'
    yield f"<script>\n{_asset('picture.js')}</script></body></html>"


def _legend(picture: Picture) -> Iterator[str]:
    yield '<div class="legend">'
    used = {box.mode for box in picture.boxes}
    for mode, colour in MODE_COLOURS.items():
        if mode in used:
            meaning = escape(MODE_MEANING[mode])
            yield f'<span title="{meaning}"><i style="background:{colour}"></i>{mode}</span>'
    yield f'<span><i style="border:2px solid {RED}"></i>point of order</span>'
    yield "<span>dashed: a later tick or another node</span>"
    if any(box.stratum for box in picture.boxes):
        yield "<span>small number: stratum within a tick</span>"
    yield '<span style="color:#7a3e9d">violet: negation</span></div>'


# ------------------------------------------------------------------------ SVG


def _svg(picture: Picture, layout: Layout) -> Iterator[str]:
    yield (
        f'<svg id="sheet" viewBox="0 0 {layout.width:.0f} {layout.height:.0f}" '
        f'xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(picture.name)}">'
    )
    yield "<defs>"
    for name, colour in (("to", "#8b93a3"), ("not", "#7a3e9d")):
        yield (
            f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            f'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
        )
    yield "</defs>"
    if len(layout.bands) > 1:
        for band in layout.bands:
            yield (
                f'<rect class="band" x="4" y="{band.y:.0f}" width="{layout.width - 8:.0f}" '
                f'height="{band.height:.0f}" rx="8"/>'
                f'<text class="band-name" x="14" y="{band.y + 18:.0f}">{escape(band.name)}</text>'
            )
    for line, points in layout.routes:
        yield _line(line, points)
    for box in picture.boxes:
        yield _box(box, layout.places[box.id])
    yield "</svg>"


def _line(line: Line, points: tuple[tuple[float, float], ...]) -> str:
    names = ["line", *(["later"] if line.later else []), *(["negated"] if line.negated else [])]
    marker = "not" if line.negated else "to"
    return f'<path class="{" ".join(names)}" d="{_curve(points)}" marker-end="url(#{marker})"/>'


DIP = 26


def _curve(points: tuple[tuple[float, float], ...]) -> str:
    """Smooth from point to point: level at each; what leads back leaves and arrives below."""
    back = points[-1][0] <= points[0][0]
    (x, y), *rest = points
    parts = [f"M{x:.1f} {y:.1f}"]
    for number, (nx, ny) in enumerate(rest):
        bend = max(abs(nx - x) / 2, 14) * (1 if nx >= x else -1)
        leave, arrive = (x + bend, y), (nx - bend, ny)
        if back and number == 0:
            leave = (x, y + DIP)
        if back and number == len(rest) - 1:
            arrive = (nx, ny + DIP)
        parts.append(
            f"C{leave[0]:.1f} {leave[1]:.1f} {arrive[0]:.1f} {arrive[1]:.1f} {nx:.1f} {ny:.1f}"
        )
        x, y = nx, ny
    return "".join(parts)


ROUND = {"table": 2, "scratch": 9, "output": 2, "const": 2, "roster": 2}


def _box(box: Box, place: Place) -> str:
    names = ["box", "rule" if box.is_rule else box.shape]
    if box.flagged:
        names.append("flagged")
    if box.verdict == "needs coordination":
        names.append("verdict-bad")
    x, y = place.x - place.width / 2, place.y - place.height / 2
    radius = 4 if box.is_rule else ROUND.get(box.shape, 16)
    fill = MODE_COLOURS[box.mode]
    label = f"{box.title} {box.shape}" if box.is_rule else box.title
    shift = -3.0 if box.verdict else 4.0
    at = f'x="{place.x:.1f}" y="{place.y + shift:.1f}"'
    text = f'<text {at} text-anchor="middle">{escape(label)}</text>'
    if box.stratum and not box.is_rule:
        at = f'x="{x + place.width - 4:.1f}" y="{y + 10:.1f}"'
        text += f'<text class="stratum" {at} text-anchor="end">{box.stratum}</text>'
    if box.verdict:
        text += (
            f'<text class="verdict" x="{place.x:.1f}" y="{place.y + 11:.1f}" '
            f'text-anchor="middle">{escape(box.verdict)}</text>'
        )
    return (
        f'<g class="{" ".join(names)}" data-id="{escape(box.id)}">'
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{place.width:.1f}" height="{place.height:.1f}" '
        f'rx="{radius}" fill="{fill}"/>{text}</g>'
    )


# ----------------------------------------------------------------------- data


def _data(picture: Picture) -> dict[str, Any]:
    report = picture.report
    rules = {(box.lane, box.title): box.id for box in picture.boxes if box.is_rule}
    steps = {
        (d.role, d.rule): [[s.rule, s.mode, s.text] for s in d.steps] for d in report.derivations
    }
    by_verdict = {v.collection: [p.id for p in v.points] for v in report.verdicts}
    return {
        "modes": MODE_MEANING,
        "boxes": {
            box.id: {
                "title": box.title,
                "shape": box.shape,
                "isRule": box.is_rule,
                "mode": box.mode,
                "stratum": box.stratum,
                "text": box.text,
                "place": where(box.span),
                "verdict": box.verdict,
                "bad": box.verdict == "needs coordination",
                "points": by_verdict.get(box.id, []),
                "steps": steps.get((box.lane, box.title), []) if box.is_rule else [],
            }
            for box in picture.boxes
        },
        "lines": [[line.source, line.target] for line in picture.lines],
        "verdicts": [
            {
                "id": verdict.collection,
                "word": verdict.word,
                "bad": verdict.word == "needs coordination",
            }
            for verdict in report.verdicts
        ],
        "points": [
            {
                "id": point.id,
                "rule": rules.get((point.role, point.rule), ""),
                "kind": point.kind,
                "why": point.why,
                "gate": gate(point),
                "guards": list(point.guards),
                "mends": [f"{mend.cost}: {mend.text}" for mend in point.mends],
            }
            for point in report.points
        ],
        "flags": [
            _flag(verdict, flag, rules) for verdict in report.verdicts for flag in verdict.flags
        ],
    }


def _flag(verdict: Verdict, flag: Flag, rules: dict[tuple[str, str], str]) -> dict[str, Any]:
    return {
        "verdict": verdict.collection,
        "rule": rules.get((flag.point.role, flag.point.rule), ""),
        "path": _through_rules(flag.path, rules),
    }


def _through_rules(path: tuple[Hop, ...], rules: dict[tuple[str, str], str]) -> list[str]:
    """Collections and the rules between them, by the boxes' ids."""
    named: dict[str, list[str]] = {}
    for (_, name), id in rules.items():
        named.setdefault(name, []).append(id)
    found: list[str] = []
    for hop in path:
        if hop.rule:
            found.extend(named.get(hop.rule, []))
        found.append(hop.collection)
    return found
