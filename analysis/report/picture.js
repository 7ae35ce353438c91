"use strict";
// What the page knows: boxes, lines (in the order of the SVG's paths), verdicts, points of order.
const data = JSON.parse(document.getElementById("data").textContent);
const sheet = document.getElementById("sheet");
const side = document.querySelector("aside");
const boxes = new Map([...sheet.querySelectorAll(".box")].map((g) => [g.dataset.id, g]));
const lines = [...sheet.querySelectorAll(".line")];

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

// ---------------------------------------------------------------- blame paths

function clear() {
  sheet.classList.remove("blaming");
  for (const element of sheet.querySelectorAll(".blamed")) element.classList.remove("blamed");
}

function blame(paths) {
  clear();
  if (!paths.length) return;
  sheet.classList.add("blaming");
  for (const path of paths) {
    for (const id of path) boxes.get(id)?.classList.add("blamed");
    for (let i = 0; i + 1 < path.length; i++) {
      data.lines.forEach(([from, to], number) => {
        if (from === path[i] && to === path[i + 1]) lines[number].classList.add("blamed");
      });
    }
  }
}

// A verdict's box shows all that reaches it; a rule or collection on the way, what passes it.
function pathsOf(id) {
  const own = data.flags.filter((flag) => flag.verdict === id);
  const points = data.flags.filter((flag) => flag.rule === id);
  return (own.length ? own : points).map((flag) => flag.path);
}

// ------------------------------------------------------------------ side panel

function list(items, tag = "ol") {
  const element = make(tag);
  for (const item of items) element.append(make("li", item));
  return element;
}

function choose(id) {
  for (const box of boxes.values()) box.classList.toggle("chosen", box.dataset.id === id);
  const box = data.boxes[id];
  side.replaceChildren();
  const back = make("button", "All verdicts");
  back.addEventListener("click", overview);
  side.append(back, make("h2", box.title));
  side.append(make("p", `${box.isRule ? "rule" : box.shape}, ${box.mode}: ${data.modes[box.mode]}`));
  if (box.verdict) side.append(make("p", `verdict: ${box.verdict}`, box.bad ? "word flagged" : "word"));
  if (box.place) side.append(make("p", box.place, "word"));
  side.append(make("pre", box.text));
  side.append(make("p", `stratum ${box.stratum}`, "word"));
  for (const point of data.points.filter((p) => p.rule === id || box.points.includes(p.id))) {
    const head = make("h3", "", "flagged");
    head.append(make("b", `${point.id} ${point.kind}`));
    side.append(head, make("p", point.why), make("p", `gate: ${point.gate}`, "word"));
    if (point.guards.length) side.append(make("p", `guarded by ${point.guards.join(", ")}`));
    side.append(list(point.mends));
  }
  if (box.steps.length) {
    side.append(make("h3", "How the mode was found"));
    const table = make("table", undefined, "steps");
    for (const step of box.steps) {
      const row = make("tr");
      for (const cell of step) row.append(make("td", cell));
      table.append(row);
    }
    side.append(table);
  }
}

function overview() {
  for (const box of boxes.values()) box.classList.remove("chosen");
  side.replaceChildren(make("h2", "Verdicts"));
  const verdicts = make("ul", undefined, "verdicts");
  for (const verdict of data.verdicts) {
    const item = make("li");
    item.tabIndex = 0;
    item.append(make("span", verdict.id + " "), make("span", verdict.word, verdict.bad ? "word flagged" : "word"));
    item.addEventListener("mouseenter", () => blame(pathsOf(verdict.id)));
    item.addEventListener("mouseleave", clear);
    item.addEventListener("click", () => { choose(verdict.id); focusOn(verdict.id); });
    item.addEventListener("keydown", (event) => { if (event.key === "Enter") item.click(); });
    verdicts.append(item);
  }
  side.append(verdicts, make("p", "Hover for the blame path; click a box for its source.", "word"));
}

for (const [id, box] of boxes) {
  box.addEventListener("mouseenter", () => blame(pathsOf(id)));
  box.addEventListener("mouseleave", clear);
  box.addEventListener("click", () => { if (!moved) choose(id); });
}

// ---------------------------------------------------------- pan, zoom, search

const whole = sheet.getAttribute("viewBox").split(" ").map(Number);
let view = [...whole];
let moved = false;

function show() { sheet.setAttribute("viewBox", view.join(" ")); }

// Small pictures are not blown up: a box's text stays about as large as the page's.
function fit() {
  const frame = sheet.getBoundingClientRect();
  const scale = Math.max(whole[2] / frame.width, whole[3] / frame.height, 0.72);
  const [w, h] = [frame.width * scale, frame.height * scale];
  view = [whole[0] + (whole[2] - w) / 2, whole[1] + (whole[3] - h) / 2, w, h];
  show();
}

function zoom(factor, x, y) {
  const frame = sheet.getBoundingClientRect();
  const px = view[0] + (x - frame.left) / frame.width * view[2];
  const py = view[1] + (y - frame.top) / frame.height * view[3];
  view = [px - (px - view[0]) * factor, py - (py - view[1]) * factor, view[2] * factor, view[3] * factor];
  show();
}

// Brings a box to the middle, near enough to be read.
function focusOn(id) {
  const at = boxes.get(id).getBBox();
  const frame = sheet.getBoundingClientRect();
  const scale = Math.min(view[2] / frame.width, 0.9);
  const [w, h] = [frame.width * scale, frame.height * scale];
  view = [at.x + at.width / 2 - w / 2, at.y + at.height / 2 - h / 2, w, h];
  show();
}

sheet.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, event.clientX, event.clientY);
}, { passive: false });

let grip = null;
sheet.addEventListener("pointerdown", (event) => { grip = [event.clientX, event.clientY, ...view]; moved = false; });
window.addEventListener("pointermove", (event) => {
  if (!grip) return;
  const frame = sheet.getBoundingClientRect();
  const [dx, dy] = [event.clientX - grip[0], event.clientY - grip[1]];
  if (Math.hypot(dx, dy) > 4) { moved = true; sheet.classList.add("dragging"); }
  view = [grip[2] - dx / frame.width * view[2], grip[3] - dy / frame.height * view[3], view[2], view[3]];
  show();
});
window.addEventListener("pointerup", () => { grip = null; sheet.classList.remove("dragging"); });
window.addEventListener("resize", fit);
document.getElementById("fit").addEventListener("click", fit);

document.getElementById("find").addEventListener("input", (event) => {
  const sought = event.target.value.trim().toLowerCase();
  sheet.classList.toggle("seeking", sought !== "");
  for (const [id, box] of boxes) {
    const known = data.boxes[id];
    box.classList.toggle("found", sought !== "" && (known.title + " " + known.text).toLowerCase().includes(sought));
  }
});

document.getElementById("find").addEventListener("keydown", (event) => {
  const first = sheet.querySelector(".box.found");
  if (event.key === "Enter" && first) { choose(first.dataset.id); focusOn(first.dataset.id); }
});

fit();
overview();
