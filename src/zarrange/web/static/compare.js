// The Compare page: what is looked at is one state, which the address says, and all panels are drawn from.

import { Panel, View, clamp } from "./compare-panel.js";
import { Pictures, rangeOf } from "./compare-pictures.js";
import { Values, short } from "./compare-values.js";

const NEIGHBORS = { step: 40, alone: 40, beside: 6 }; // how far pictures are fetched ahead, in both directions
const SAMPLES = 5; // a kind's range is that of so many of its pictures, from first to last
const WRITING = 250; // milliseconds of rest before the address follows
const ZOOM = 1.25;

const data = JSON.parse(document.getElementById("comparison").textContent);
const steps = data.slider?.texts ?? [];
const byId = (id) => document.getElementById(id);

const rows = data.rows.map((row, index) => {
  const elements = document.querySelectorAll(`[data-row="${index}"] .panel`);
  return row.panels.map((panel, place) => new Panel(elements[place], panel, row.run));
});
const panels = rows.flat();
const kinds = rows.length ? rows[0].map((panel) => panel.kind) : [];

// --- the state -------------------------------------------------------------------------------------------------------

const given = data.state;
const state = {
  step: given.step,
  cut: { ...given.cut },
  range: given.range,
  view: new View(data.extent ?? [0, 0, 1, 1], given.zoom, given.at),
  shown: new Set(given.show),
  labels: new Set(given.labels),
  over: { ...(given.over) },
  opacity: given.opacity,
  direction: 1,
  pointer: null, // the shared place that is read, [y, x]
};

function address() {
  const { view } = state;
  const said = data.fields.map(([name, text]) => [name, text]);
  if (data.slider && state.step >= 0) said.push([data.slider.name, steps[state.step]]);
  const cut = data.axes.map(({ name }) => `${name}:${state.cut[name]}`).join(",");
  if (data.axes.some(({ name, start }) => state.cut[name] !== start)) said.push([".cut", cut]);
  if (String(state.range) !== "kind") said.push([".range", String(state.range)]);
  if (view.zoom > 1) said.push([".zoom", short(view.zoom, 5)], [".at", view.at.map((one) => short(one, 7)).join(",")]);
  if (inOrder(state.shown) !== inOrder(new Set(data.show))) said.push([".show", inOrder(state.shown)]);
  if (inOrder(state.labels) !== inOrder(new Set(data.labels))) said.push([".labels", inOrder(state.labels)]);
  if (pairs(state.over) !== pairs(data.over)) said.push([".over", pairs(state.over)]);
  if (state.opacity !== data.opacity) said.push([".opacity", String(state.opacity)]);
  const query = new URLSearchParams(said).toString().replaceAll("%3A", ":").replaceAll("%2C", ",");
  return query ? `?${query}` : location.pathname;
}

const inOrder = (chosen) => kinds.filter((kind) => chosen.has(kind)).join(",");
const pairs = (over) => kinds.filter((kind) => over[kind]).map((kind) => `${kind}:${over[kind]}`).join(",");

let writing = 0;

function writeLater() {
  writing ||= setTimeout(write, WRITING); // browsers take only so many changes of the address
}

function write() {
  clearTimeout(writing);
  writing = 0;
  const here = address();
  history.replaceState(null, "", here);
  const open = byId("neuroglancer");
  if (open) open.search = here;
  for (const panel of panels) panel.canvas.setAttribute("aria-label", described(panel));
}

function described(panel) {
  const at = data.slider && panel.data.paths ? `, ${data.slider.word} ${steps[state.step]}` : "";
  return `${panel.data.word}${panel.run === null ? "" : ` of ${panel.run}`}${at}`;
}

// --- what is to be seen ----------------------------------------------------------------------------------------------

const pictures = new Pictures({ changed: () => redraw() });
const values = new Values(() => read());
const ranges = new Map(); // address -> the range of a sample, null for none

function picture(panel, step, cut, range) {
  const path = panel.path(step);
  const where = path && panel.cut(cut);
  if (!path || where === null) return null;
  const isLabels = state.labels.has(panel.kind);
  const said = { cut: where + regionText(panel), labels: isLabels ? "1" : "0" };
  if (range && !isLabels) said.range = range.join(",");
  return `/image/${encoded(path)}?${new URLSearchParams(said)}`;
}

function regionText(panel) {
  const region = panel.region(state.view, data.maxPixels);
  return region ? `@${region[0]}:${region[1]},${region[2]}:${region[3]}` : "";
}

const encoded = (path) => path.split("/").map(encodeURIComponent).join("/");

// The panels of which a panel is made, the lowest first.
function layersOf(panel) {
  const below = state.labels.has(panel.kind) && state.over[panel.kind];
  const base = below && rows.find((row) => row.includes(panel)).find((one) => one.kind === below);
  return base && base !== panel && base.data.plane ? [base, panel] : [panel];
}

// The range that a panel's values are drawn in: null for its own, undefined while it is not known yet.
function rangeFor(panel) {
  if (state.labels.has(panel.kind) || state.range === "own") return null;
  if (Array.isArray(state.range)) return state.range;
  const isMeant = (one) => (state.range === "kind" ? one.kind === panel.kind : !state.labels.has(one.kind));
  const samples = panels.filter((one) => isMeant(one) && (one.isShown || one.kind === panel.kind)).flatMap(samplesOf);
  if (samples.some((one) => !ranges.has(one))) {
    askRanges(samples);
    return undefined;
  }
  const known = samples.map((one) => ranges.get(one)).filter(Boolean);
  if (!known.length) return null;
  return [Math.min(...known.map(([low]) => low)), Math.max(...known.map(([, high]) => high))];
}

// Where the range of a kind is told from: always the middle of an array, so that it rests while one slides.
function samplesOf(panel) {
  const { paths, path } = panel.data;
  const there = paths ? paths.filter(Boolean) : path ? [path] : [];
  const most = Math.min(SAMPLES, there.length);
  const chosen = Array.from({ length: most }, (_, index) => {
    return there[Math.round((index * (there.length - 1)) / Math.max(1, most - 1))];
  });
  const channels = panel.data.axes.filter(({ role }) => role === "channel");
  const cut = channels.map(({ name }) => `${name}:${panel.place(name, state.cut) ?? 0}`).join(",") + regionText(panel);
  return [...new Set(chosen)].map((one) => `/image/${encoded(one)}?${new URLSearchParams({ cut, labels: "0", size: "1" })}`);
}

function askRanges(samples) {
  for (const one of samples) {
    if (ranges.has(one) || asked.has(one)) continue;
    asked.add(one);
    waiting.push(one);
  }
  while (running < 3 && waiting.length) askRange(waiting.shift());
}

const asked = new Set();
const waiting = [];
let running = 0;

async function askRange(sample) {
  running += 1;
  try {
    const answer = await fetch(sample);
    ranges.set(sample, answer.ok ? rangeOf(answer) : null);
  } catch {
    ranges.set(sample, null);
  }
  running -= 1;
  asked.delete(sample);
  if (waiting.length) askRange(waiting.shift());
  else if (running === 0) show();
}

// All pictures at a place; undefined ones are left out.
function needed(step, cut) {
  const found = panels.filter((panel) => panel.isShown).flatMap(layersOf);
  const made = found.map((panel) => ({ panel, range: rangeFor(panel) }));
  return made.filter(({ range }) => range !== undefined).map(({ panel, range }) => picture(panel, step, cut, range));
}

function neighbors() {
  const places = [];
  const far = data.slider ? NEIGHBORS.step : 0;
  const [first] = data.axes.filter(({ role }) => role === "index");
  const around = data.slider ? NEIGHBORS.beside : NEIGHBORS.alone;
  for (let distance = 1; distance <= Math.max(far, around); distance += 1) {
    for (const sign of [state.direction, -state.direction]) {
      const step = state.step + sign * distance;
      if (distance <= far && step >= 0 && step < steps.length) places.push([step, state.cut]);
      const place = first && state.cut[first.name] + sign * distance;
      if (first && distance <= around && place >= 0 && place < first.size) {
        places.push([state.step, { ...state.cut, [first.name]: place }]);
      }
    }
  }
  return places;
}

// Fetch what the state shows and what is near it, and draw.
function show() {
  const urgent = needed(state.step, state.cut).filter(Boolean);
  const later = neighbors().flatMap(([step, cut]) => needed(step, cut));
  pictures.want(urgent, later.filter(Boolean));
  redraw();
  read();
  writeLater();
}

// --- drawing ---------------------------------------------------------------------------------------------------------

let isDue = false;

function redraw() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(paint);
}

function paint() {
  isDue = false;
  let complete = true;
  for (const panel of panels) {
    if (panel.isShown) complete = paintPanel(panel) && complete;
  }
  for (const one of document.querySelectorAll(".slider")) tell(one);
  const detail = { step: state.step, cut: { ...state.cut }, complete, idle: complete && pictures.isIdle };
  document.dispatchEvent(new CustomEvent("painted", { detail }));
}

function paintPanel(panel) {
  const missing = missingIn(panel);
  if (missing) return say(panel, missing);
  const layers = layersOf(panel).map((layer) => [layer, stateOf(layer)]);
  const [, own] = layers.at(-1);
  if (own?.error) return say(panel, own.error);
  const isReady = layers.every(([, one]) => one);
  if (isReady) {
    const there = layers.filter(([, one]) => one.bitmap);
    panel.drawn = there.map(([layer, one]) => layerOf(layer, one, layers.length > 1));
    tellPanel(panel, own);
  }
  panel.element.classList.toggle("late", !isReady);
  if (!panel.drawn || panel.drawn.some((layer) => layer.picture.bitmap.width === 0)) return isReady; // forgotten
  panel.say("");
  panel.begin();
  panel.draw(panel.drawn, state.view, state.pointer);
  return isReady;
}

// What is known of a layer at the place that is shown: a picture, an error, or undefined while it is awaited.
function stateOf(layer) {
  const range = rangeFor(layer);
  if (range === undefined) return undefined;
  const where = picture(layer, state.step, state.cut, range);
  return where ? pictures.get(where) : { error: missingIn(layer) };
}

function layerOf(panel, picture, isOver) {
  const isLabels = state.labels.has(panel.kind);
  const opacity = isOver && isLabels ? state.opacity : 1;
  return { panel, picture, region: panel.region(state.view, data.maxPixels), opacity, isLabels };
}

function say(panel, message) {
  panel.drawn = null;
  panel.element.classList.remove("late");
  panel.say(message);
  tellPanel(panel, null);
  return true;
}

function missingIn(panel) {
  const { word, paths, note } = panel.data;
  if (!panel.path(state.step)) {
    if (!paths || !paths.some(Boolean)) return note || `There is no ${word} for what is chosen.`;
    return `There is no ${word} at ${data.slider.word} ${steps[state.step]}. ${nearest(paths)}`;
  }
  const outside = panel.data.axes.find(({ name }) => panel.place(name, state.cut) === null);
  return outside ? `${outside.name} ${state.cut[outside.name]} lies outside of this array.` : "";
}

function nearest(paths) {
  const before = paths.findLastIndex((path, step) => path && step < state.step);
  const after = paths.findIndex((path, step) => path && step > state.step);
  const found = [before, after].filter((step) => step >= 0).map((step) => steps[step]);
  return `There is one at ${found.join(" and at ")}.`;
}

function tellPanel(panel, own) {
  const places = panel.data.axes
    .filter(({ name, size }) => own && size > 1 && panel.place(name, state.cut) !== state.cut[name])
    .map(({ name, size }) => `${name} ${panel.place(name, state.cut)} of ${size}`);
  setText(panel.places, places.join(", "));
  const range = own && !state.labels.has(panel.kind) ? (rangeFor(panel) ?? own.range) : null;
  setText(panel.range, range ? between(...range) : "");
  setText(panel.note, [own?.note, own && partOf(panel)].filter(Boolean).join("; "));
  const path = panel.path(state.step);
  if (path) panel.link.href = `/array/${encoded(path)}`;
  else panel.link.removeAttribute("href");
}

// A range, to about a hundredth of how wide it is.
function between(from, to) {
  const size = Math.abs(to - from) || Math.abs(from) || 1;
  const digits = clamp(2 - Math.floor(Math.log10(size)), 0, 20);
  return [from, to].map((one) => (size > 1e7 ? short(one) : String(Number(one.toFixed(digits))))).join(" – ");
}

function partOf(panel) {
  const region = panel.region(state.view, data.maxPixels);
  const { plane } = panel.data;
  return region && `y ${region[0]}–${region[1]}, x ${region[2]}–${region[3]} of ${plane.y.size} × ${plane.x.size}`;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// --- sliders ---------------------------------------------------------------------------------------------------------

// The value of a slider, of the iteration ("" for its axis) or of an axis.
const slid = (axis) => (axis ? state.cut[axis] : state.step);
const most = (axis) => (axis ? data.axes.find(({ name }) => name === axis).size : steps.length) - 1;

function slide(axis, value) {
  const place = clamp(value, 0, most(axis));
  if (most(axis) < 0 || place === slid(axis)) return;
  if (axis) {
    state.cut = { ...state.cut, [axis]: place };
  } else {
    state.direction = place > state.step ? 1 : -1;
    state.step = place;
  }
  show();
}

function tell(slider) {
  const { axis } = slider.dataset;
  const value = slid(axis);
  const text = axis ? String(value) : (steps[value] ?? "");
  const input = slider.querySelector("input[type=range]");
  if (input.valueAsNumber !== value) input.valueAsNumber = value;
  input.setAttribute("aria-valuetext", axis ? text : `${text}, ${value + 1} of ${steps.length}`);
  setText(slider.querySelector("output"), text);
  setText(slider.querySelector(".count"), axis ? ` of ${most(axis) + 1}` : ` ${value + 1} of ${steps.length}`);
}

for (const slider of document.querySelectorAll(".slider")) {
  const { axis } = slider.dataset;
  const input = slider.querySelector("input[type=range]");
  input.addEventListener("input", () => slide(axis, input.valueAsNumber));
  slider.querySelector(".previous").addEventListener("click", () => slide(axis, slid(axis) - 1));
  slider.querySelector(".next").addEventListener("click", () => slide(axis, slid(axis) + 1));
}

// --- playing ---------------------------------------------------------------------------------------------------------

const play = byId("play");
let played = 0; // when the last step was taken; 0 while nothing is played

function playOn(now) {
  if (!played) return;
  const isReady = panels.every((panel) => !panel.isShown || !panel.element.classList.contains("late"));
  if (isReady && now - played >= 1000 / Number(byId("speed").value) - 2) {
    played = now;
    slide("", state.step < steps.length - 1 ? state.step + 1 : 0);
  }
  requestAnimationFrame(playOn);
}

function togglePlay(isOn = !played) {
  if (!play) return;
  if (isOn && !played) requestAnimationFrame(playOn);
  played = isOn ? performance.now() : 0;
  play.setAttribute("aria-pressed", String(isOn));
}

play?.addEventListener("click", () => togglePlay());

// --- keys ------------------------------------------------------------------------------------------------------------

const [depth] = data.axes.filter(({ role }) => role === "index");
const up = (by) => depth && slide(depth.name, state.cut[depth.name] + by);
const KEYS = {
  ArrowRight: () => slide("", state.step + 1),
  ArrowLeft: () => slide("", state.step - 1),
  ArrowUp: () => up(1),
  ArrowDown: () => up(-1),
  Home: () => slide("", 0),
  End: () => slide("", steps.length - 1),
  " ": () => togglePlay(),
  "+": () => zoom(ZOOM),
  "=": () => zoom(ZOOM),
  "-": () => zoom(1 / ZOOM),
  0: () => zoom(0),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key] || isTypedInto(event)) return;
  event.preventDefault();
  KEYS[event.key]();
});

// Whether a key is for the element that has the focus: what is typed into, chosen from, pressed or followed.
function isTypedInto({ key, target }) {
  if (target.matches("select, textarea, [contenteditable], input:not([type=range], [type=checkbox])")) return true;
  if (target.matches("input[type=range]") && !target.closest(".slider")) return key.length > 1;
  if (target.matches("input[type=range]")) return isForSlider(key, target.closest(".slider").dataset.axis);
  return key === " " && target.matches("button, summary, a, input");
}

// A slider of an axis other than the first takes all keys itself, the others those that are not another one's.
function isForSlider(key, axis) {
  if (axis === "") return false;
  if (axis === depth?.name) return key === "Home" || key === "End";
  return key.startsWith("Arrow") || key === "Home" || key === "End";
}

// --- zooming, dragging, reading --------------------------------------------------------------------------------------

function zoom(factor, place = state.view.at) {
  if (factor) state.view.zoomAbout(factor, place);
  else state.view.set(1, null);
  looked();
}

function looked() {
  for (const panel of panels) panel.canvas.classList.toggle("zoomed", state.view.zoom > 1);
  if (panels.some((panel) => regionText(panel))) show();
  redraw();
  writeLater();
}

function placeOf(panel, event) {
  const box = panel.canvas.getBoundingClientRect();
  const [top, left] = [event.clientY - box.top, event.clientX - box.left];
  const { width, height } = panel.canvas;
  return state.view.placeAt(panel.canvas, (top * height) / box.height, (left * width) / box.width);
}

for (const panel of panels) {
  let grabbed = null; // the shared place that the pointer holds
  panel.canvas.addEventListener(
    "wheel",
    (event) => {
      if (event.deltaY > 0 && state.view.zoom === 1) return; // the page scrolls
      event.preventDefault();
      zoom(ZOOM ** clamp(-event.deltaY / 100, -2, 2), placeOf(panel, event));
    },
    { passive: false },
  );
  panel.canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || state.view.zoom === 1) return;
    grabbed = placeOf(panel, event);
    panel.canvas.setPointerCapture(event.pointerId);
  });
  panel.canvas.addEventListener("pointermove", (event) => {
    const place = placeOf(panel, event);
    if (grabbed) {
      const { at, zoom: current } = state.view;
      state.view.set(current, [0, 1].map((axis) => at[axis] + grabbed[axis] - place[axis]));
      looked();
    }
    point(panel.pixel(place) ? place : null);
  });
  for (const end of ["pointerup", "pointercancel"]) panel.canvas.addEventListener(end, () => (grabbed = null));
  panel.canvas.addEventListener("pointerleave", () => point(null));
  panel.canvas.addEventListener("dblclick", () => zoom(0));
}

function point(place) {
  state.pointer = place;
  redraw();
  read();
}

// Say in each panel what it has where the pointer is.
function read() {
  const shown = panels.filter((panel) => panel.isShown);
  const pixels = shown.map((panel) => (state.pointer && !missingIn(panel) ? panel.pixel(state.pointer) : null));
  const found = values.read(pixels.map((pixel, index) => pixel && placeIn(shown[index], pixel)));
  for (const [index, panel] of shown.entries()) {
    const pixel = pixels[index];
    setText(panel.value, pixel ? `${found[index] ?? "…"} at y ${pixel[0]}, x ${pixel[1]}` : "");
  }
}

function placeIn(panel, [y, x]) {
  const { plane } = panel.data;
  const where = `/values/${encoded(panel.path(state.step))}`;
  return { address: where, cut: panel.cut(state.cut), y, x, height: plane.y.size, width: plane.x.size };
}

// --- the other controls ----------------------------------------------------------------------------------------------

for (const [id, factor] of [["zoom-in", ZOOM], ["zoom-out", 1 / ZOOM], ["zoom-fit", 0]]) {
  byId(id).addEventListener("click", () => zoom(factor));
}

const [range, low, high] = [byId("range"), byId("low"), byId("high")];

function chooseRange() {
  const isTyped = range.value === "typed";
  byId("typed").hidden = !isTyped;
  if (isTyped && low.value === "" && high.value === "") {
    const seen = panels.find((panel) => panel.isShown && panel.drawn && !state.labels.has(panel.kind))?.drawn[0].picture.range;
    [low.value, high.value] = (seen ?? [0, 1]).map((one) => short(one));
  }
  const [from, to] = [low.valueAsNumber, high.valueAsNumber];
  const isRange = Number.isFinite(from) && Number.isFinite(to) && from !== to;
  high.setCustomValidity(isTyped && !isRange ? "two different numbers" : "");
  if (isTyped && !isRange) return;
  state.range = isTyped ? [from, to] : range.value;
  show();
}

for (const input of [range, low, high]) input.addEventListener("change", chooseRange);

const opacity = byId("opacity");
opacity.addEventListener("input", () => {
  state.opacity = opacity.valueAsNumber;
  redraw();
  writeLater();
});

// What can be said of each kind: whether it is shown, drawn as labels, and over which other one.
for (const row of document.querySelectorAll("[data-kind-options]")) {
  const kind = row.dataset.kindOptions;
  const [isShown, isLabels, over] = ["is-shown", "is-labels", "over"].map((name) => row.querySelector(`.${name}`));
  isShown.checked = state.shown.has(kind);
  isLabels.checked = state.labels.has(kind);
  over.value = state.over[kind] ?? "";
  over.disabled = !isLabels.checked;
  row.addEventListener("change", () => {
    state.shown[isShown.checked ? "add" : "delete"](kind);
    state.labels[isLabels.checked ? "add" : "delete"](kind);
    state.over[kind] = over.value || null;
    over.disabled = !isLabels.checked;
    choosePanels();
  });
}

function choosePanels() {
  for (const panel of panels) panel.element.hidden = !state.shown.has(panel.kind);
  byId("nothing").hidden = state.shown.size > 0;
  fitAll();
  show();
}

// What is opened is closed by Escape, and by doing something else.
const opened = document.querySelectorAll("details.more");
document.addEventListener("keydown", ({ key }) => {
  const open = key === "Escape" && [...opened].find((one) => one.open);
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});
document.addEventListener("pointerdown", ({ target }) => {
  for (const one of opened) one.open &&= one.contains(target);
});

// What is chosen among runs and fields needs other arrays: the page is asked for anew, with all the rest as it is.
const form = byId("choose");
form.addEventListener("change", () => form.requestSubmit());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const names = new Set(data.fields.map(([name]) => name));
  const kept = [...new URLSearchParams(address())].filter(([name]) => !names.has(name));
  const chosen = [...new FormData(form)].filter(([name]) => data.choosable.includes(name));
  const said = chosen.filter(([name, text]) => name !== data.by || text);
  location.assign(`?${new URLSearchParams([...said, ...kept])}`);
});

byId("copy").addEventListener("click", async () => {
  write();
  let said = "copied";
  try {
    await navigator.clipboard.writeText(location.href);
  } catch {
    said = "copy it from the address bar";
  }
  setText(byId("copied"), said);
  setTimeout(() => setText(byId("copied"), ""), 3000);
});

// --- the beginning ---------------------------------------------------------------------------------------------------

function fitAll() {
  let isChanged = false;
  for (const panel of panels) isChanged = (panel.isShown && panel.fit()) || isChanged;
  if (isChanged) redraw();
}

if (data.extent) {
  const [y0, x0, y1, x1] = data.extent;
  document.documentElement.style.setProperty("--aspect", clamp((x1 - x0) / (y1 - y0), 0.5, 2));
}
for (const one of document.querySelectorAll("[data-script]")) one.hidden = false;
for (const one of document.querySelectorAll("[data-plain]")) one.hidden = true;
range.value = Array.isArray(state.range) ? "typed" : state.range;
if (Array.isArray(state.range)) [low.value, high.value] = state.range;
byId("typed").hidden = range.value !== "typed";
opacity.valueAsNumber = state.opacity;
new ResizeObserver(fitAll).observe(byId("panels"));
window.addEventListener("pagehide", write);
window.addEventListener("pageshow", () => redraw());
choosePanels();
looked();
