"""The picture as one HTML file: data, style and script inside it."""

from __future__ import annotations

import html
import json
from importlib.resources import files

from bloomish.runtime.diagram.layout import Picture


def page(picture: Picture) -> str:
    """Text of the file."""
    here = files("bloomish.runtime.diagram")
    style = (here / "diagram.css").read_text(encoding="utf-8")
    script = (here / "diagram.js").read_text(encoding="utf-8")
    data = json.dumps(picture.data(), ensure_ascii=False, separators=(",", ":"))
    # Inside a script element only `<` can end it or open a comment.
    data = data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    collections = sorted({name for arrow in picture.arrows for name in arrow[4]})
    options = "".join(f"<option>{html.escape(name)}</option>" for name in collections)
    title = html.escape(picture.title or "a run")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<label>collection <select id="collection"><option value="">all</option>{options}</select></label>
<label>rows with <input id="text" type="search" placeholder="text"></label>
<button id="in" title="zoom in (+)">+</button>
<button id="out" title="zoom out (-)">−</button>
<button id="all" title="the whole run (0)">whole run</button>
<output id="counts"></output>
</header>
<main><canvas id="canvas" tabindex="0"></canvas><pre id="hover" hidden></pre></main>
<script id="data" type="application/json">{data}</script>
<script>
{script}</script>
</body>
</html>
"""
