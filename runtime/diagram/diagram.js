"use strict";
// A space-time diagram on a canvas: time to the right, a line per node. Only what is in view is
// drawn, so ten thousand messages pan and zoom smoothly.
const run = JSON.parse(document.getElementById("data").textContent);
const canvas = document.getElementById("canvas");
const hover = document.getElementById("hover");
const pen = canvas.getContext("2d");
const LEFT = 120, TOP = 34, REACH = 7, CHUNK = 64;
const view = { scale: 24, start: 0 };  // pixels per moment; the moment at the left edge
let size = { width: 0, height: 0 }, gap = 40, shown = run.arrows, colours = {};

const x = moment => LEFT + (moment - view.start) * view.scale;
const y = node => TOP + gap / 2 + node * gap;
const last = Math.max(1, run.moments.length - 1);
const visible = (from, to) => x(to) >= LEFT - 40 && x(from) <= size.width + 40;

// ------------------------------------------------------------------- filters
function filter() {
  const collection = document.getElementById("collection").value;
  const text = document.getElementById("text").value.toLowerCase();
  shown = run.arrows.filter(arrow =>
    (!collection || arrow[4].includes(collection)) &&
    (!text || arrow[5].toLowerCase().includes(text)));
  index();
  const lost = shown.filter(arrow => arrow[3] < 0).length;
  document.getElementById("counts").textContent =
    `${run.nodes.length} nodes, ${run.ticks.length.toLocaleString("en")} ticks, ` +
    `${shown.length.toLocaleString("en")} of ${run.arrows.length.toLocaleString("en")} messages` +
    (lost ? `, ${lost.toLocaleString("en")} lost` : "");
  draw();
}

// Arrows by stretches of moments, so that a view looks at few of them.
let chunks = new Map();
function index() {
  chunks = new Map();
  for (const arrow of shown) {
    const end = arrow[3] < 0 ? arrow[1] + 1 : arrow[3];
    for (let c = Math.floor(arrow[1] / CHUNK); c <= Math.floor(end / CHUNK); c++) {
      if (!chunks.has(c)) chunks.set(c, []);
      chunks.get(c).push(arrow);
    }
  }
}
function arrowsInView() {
  const found = new Set();
  const from = Math.floor(view.start / CHUNK) - 1;
  const to = Math.floor((view.start + size.width / view.scale) / CHUNK) + 1;
  for (let c = from; c <= to; c++) for (const arrow of chunks.get(c) || []) found.add(arrow);
  return found;
}

// ------------------------------------------------------------------- drawing
function ends(arrow) {
  const [from, sent, to, came] = arrow;
  const ax = x(sent), ay = y(from);
  if (came >= 0) return [ax, ay, x(came), y(to)];
  const by = to < 0 ? ay + gap * 0.4 : ay + (y(to) - ay) * 0.45;  // a lost one ends on the way
  return [ax, ay, ax + Math.max(10, view.scale * 0.45), by];
}
function stroke(points, colour, width, dash) {
  pen.beginPath();
  pen.strokeStyle = colour; pen.lineWidth = width; pen.setLineDash(dash || []);
  pen.moveTo(points[0], points[1]); pen.lineTo(points[2], points[3]);
  pen.stroke(); pen.setLineDash([]);
}
function head(points, colour) {
  const angle = Math.atan2(points[3] - points[1], points[2] - points[0]);
  pen.beginPath(); pen.fillStyle = colour;
  pen.moveTo(points[2], points[3]);
  for (const side of [2.7, -2.7])
    pen.lineTo(points[2] + 8 * Math.cos(angle + side), points[3] + 8 * Math.sin(angle + side));
  pen.fill();
}
function cross(px, py, colour) {
  stroke([px - 4, py - 4, px + 4, py + 4], colour, 1.6);
  stroke([px - 4, py + 4, px + 4, py - 4], colour, 1.6);
}
function label(text, px, py, colour) {
  pen.fillStyle = colour; pen.fillText(text, px, py);
}
function draw() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ground", "ink", "faint", "line", "message", "again", "lost", "tick", "down", "cut"])
    colours[name] = style.getPropertyValue("--" + name).trim();
  const ratio = window.devicePixelRatio || 1;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, size.width, size.height);
  pen.font = "12px system-ui, sans-serif"; pen.textBaseline = "middle";
  pen.save();
  pen.beginPath(); pen.rect(LEFT - 8, 0, size.width, size.height); pen.clip();
  for (const [from, to, text] of run.cuts) if (visible(from, to)) {
    pen.fillStyle = colours.cut;
    pen.fillRect(x(from), TOP - 18, Math.max(2, x(to) - x(from)), run.nodes.length * gap + 18);
    label("partition " + text, x(from) + 4, TOP - 9, colours.ink);
  }
  for (const [node, from, to] of run.downs) if (visible(from, to)) {
    pen.fillStyle = colours.down;
    pen.fillRect(x(from), y(node) - gap * 0.3, Math.max(2, x(to) - x(from)), gap * 0.6);
  }
  run.nodes.forEach((_, node) => stroke([LEFT - 8, y(node), x(last) + 30, y(node)], colours.line, 1));
  times();
  const arrows = arrowsInView();
  for (const arrow of arrows) {
    const points = ends(arrow), gone = arrow[3] < 0;
    const colour = gone ? colours.lost : arrow[6] ? colours.again : colours.message;
    stroke(points, colour, 1.2, arrow[6] ? [4, 3] : null);
    if (gone) cross(points[2], points[3], colour);
    else if (view.scale > 3) head(points, colour);
  }
  const radius = Math.min(4, Math.max(1.2, view.scale / 4));
  pen.fillStyle = colours.tick;
  for (const [node, moment] of run.ticks) if (visible(moment, moment)) {
    pen.beginPath(); pen.arc(x(moment), y(node), radius, 0, 7); pen.fill();
  }
  for (const [node, moment, what] of run.marks) if (visible(moment, moment)) {
    const bad = /crash|stop|died|aside|refused/.test(what);
    if (bad) cross(x(moment), y(node), colours.lost);
    if (view.scale > 5) label(what, x(moment) + 6, y(node) - gap * 0.32, bad ? colours.lost : colours.faint);
  }
  pen.restore();
  run.nodes.forEach((name, node) => label(name, 12, y(node), colours.ink));
}
function times() {
  const every = Math.max(1, Math.ceil(110 / view.scale));
  const first = Math.max(0, Math.floor(view.start / every) * every);
  for (let moment = first; moment <= last && x(moment) < size.width; moment += every)
    label((run.moments[moment] - run.moments[0]).toFixed(4) + " s", x(moment), 12, colours.faint);
}

// --------------------------------------------------------------- what is there
function near(px, py) {
  let best = null, least = REACH;
  for (const tick of run.ticks) {
    const away = Math.hypot(x(tick[1]) - px, y(tick[0]) - py);
    if (away < least) { least = away; best = tick[3]; }
  }
  for (const mark of run.marks) {
    const away = Math.hypot(x(mark[1]) - px, y(mark[0]) - py);
    if (away < least) { least = away; best = mark[2] + (mark[3] ? ": " + mark[3] : ""); }
  }
  if (best !== null) return best;
  for (const arrow of arrowsInView()) {
    const [ax, ay, bx, by] = ends(arrow), length = (bx - ax) ** 2 + (by - ay) ** 2;
    const t = Math.max(0, Math.min(1, ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length));
    const away = Math.hypot(ax + t * (bx - ax) - px, ay + t * (by - ay) - py);
    if (away < least) { least = away; best = arrow[5] + (arrow[3] < 0 ? "\n(lost)" : ""); }
  }
  return best;
}

// -------------------------------------------------------------------- movement
function bound() { view.start = Math.max(-2, Math.min(view.start, last)); }
function zoom(factor, px) {
  const moment = view.start + (px - LEFT) / view.scale;
  view.scale = Math.max((size.width - LEFT - 60) / last / 1.02, Math.min(200, view.scale * factor));
  if (view.scale < 0.01) view.scale = 0.01;
  view.start = moment - (px - LEFT) / view.scale;
  bound(); draw();
}
function whole() { view.scale = Math.min(120, (size.width - LEFT - 60) / last); view.start = 0; draw(); }
function resize() {
  size = { width: canvas.clientWidth, height: canvas.clientHeight };
  const ratio = window.devicePixelRatio || 1;
  canvas.width = size.width * ratio; canvas.height = size.height * ratio;
  gap = Math.max(18, Math.min(90, (size.height - TOP - 10) / Math.max(1, run.nodes.length)));
  draw();
}
let grip = null;
canvas.addEventListener("mousedown", event => {
  grip = { at: event.offsetX, start: view.start }; canvas.classList.add("dragging");
});
window.addEventListener("mouseup", () => { grip = null; canvas.classList.remove("dragging"); });
canvas.addEventListener("mousemove", event => {
  if (grip) {
    view.start = grip.start - (event.offsetX - grip.at) / view.scale;
    bound(); hover.hidden = true; draw(); return;
  }
  const text = near(event.offsetX, event.offsetY);
  hover.hidden = text === null;
  if (text !== null) {
    hover.textContent = text.length > 1500 ? text.slice(0, 1500) + "\n…" : text;
    hover.style.left = Math.min(event.offsetX + 14, size.width * 0.6) + "px";
    hover.style.top = Math.min(event.offsetY + 14, size.height * 0.7) + "px";
  }
});
canvas.addEventListener("mouseleave", () => { hover.hidden = true; });
canvas.addEventListener("wheel", event => {
  event.preventDefault();
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    view.start += (event.deltaX || event.deltaY) / view.scale; bound(); draw();
  } else zoom(Math.exp(-event.deltaY / 400), event.offsetX);
}, { passive: false });
window.addEventListener("keydown", event => {
  if (event.target.tagName === "INPUT") return;
  const middle = size.width / 2, step = 80 / view.scale;
  const keys = { "+": () => zoom(1.4, middle), "-": () => zoom(1 / 1.4, middle), "0": whole,
    ArrowRight: () => { view.start += step; bound(); draw(); },
    ArrowLeft: () => { view.start -= step; bound(); draw(); } };
  if (keys[event.key]) keys[event.key]();
});
document.getElementById("in").onclick = () => zoom(1.6, size.width / 2);
document.getElementById("out").onclick = () => zoom(1 / 1.6, size.width / 2);
document.getElementById("all").onclick = whole;
document.getElementById("collection").onchange = filter;
document.getElementById("text").oninput = filter;
window.addEventListener("resize", resize);

// The address may carry a filter: page.html#collection=Kvs.put&text=client-1
const wanted = new URLSearchParams(location.hash.slice(1));
for (const name of ["collection", "text"])
  if (wanted.has(name)) document.getElementById(name).value = wanted.get(name);
resize();
if (last * view.scale < size.width - LEFT - 60) whole();
filter();
