// Drawing: the panels and the sliders, as the state says, and what is where the pointer is.

import { writeLater } from "./compare-address.js";
import { encoded, layersOf, needed, neighbors, onRanges, picture, rangeFor } from "./compare-needs.js";
import { clamp } from "./compare-panel.js";
import { Pictures } from "./compare-pictures.js";
import { data, most, panels, setText, slid, state, steps } from "./compare-state.js";
import { Values, short } from "./compare-values.js";

const pictures = new Pictures({ changed: () => redraw() });
const values = new Values(() => read());

onRanges(() => show());

// Fetch what the state shows and what is near it, and draw.
export function show() {
  const urgent = needed(state.step, state.cut).filter(Boolean);
  const later = neighbors().flatMap(([step, cut]) => needed(step, cut));
  pictures.want(urgent, later.filter(Boolean));
  redraw();
  read();
  writeLater();
}

let isDue = false;

export function redraw() {
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

// --- reading ---------------------------------------------------------------------------------------------------------

export function point(place) {
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
