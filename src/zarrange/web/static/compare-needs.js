// What is needed: the pictures of a state and of what is near it, each in the range that it is to be drawn in.

import { rangeOf } from "./compare-pictures.js";
import { data, depth, panels, rows, state, steps } from "./compare-state.js";

const NEIGHBORS = { step: 40, alone: 40, beside: 6 }; // how far pictures are fetched ahead, in both directions
const SAMPLES = 5; // a kind's range is that of so many of its pictures, from first to last

export function picture(panel, step, cut, range) {
  const path = panel.path(step);
  const where = path && panel.cut(cut);
  if (!path || where === null) return null;
  const isLabels = state.labels.has(panel.kind);
  const said = { cut: where + regionText(panel), labels: isLabels ? "1" : "0" };
  if (range && !isLabels) said.range = range.join(",");
  return `/image/${encoded(path)}?${new URLSearchParams(said)}`;
}

export function regionText(panel) {
  const region = panel.region(state.view, data.maxPixels);
  return region ? `@${region[0]}:${region[1]},${region[2]}:${region[3]}` : "";
}

export const encoded = (path) => path.split("/").map(encodeURIComponent).join("/");

// The panels of which a panel is made, the lowest first.
export function layersOf(panel) {
  const below = state.labels.has(panel.kind) && state.over[panel.kind];
  const base = below && rows.find((row) => row.includes(panel)).find((one) => one.kind === below);
  return base && base !== panel && base.data.plane ? [base, panel] : [panel];
}

// --- ranges ----------------------------------------------------------------------------------------------------------

const ranges = new Map(); // address -> the range of a sample, null for none
const asked = new Set();
const waiting = [];
let running = 0;
let known = () => {};

// Call something when ranges that were asked for are known.
export function onRanges(called) {
  known = called;
}

// The range that a panel's values are drawn in: null for its own, undefined while it is not known yet.
export function rangeFor(panel) {
  if (state.labels.has(panel.kind) || state.range === "own") return null;
  if (Array.isArray(state.range)) return state.range;
  const isMeant = (one) => (state.range === "kind" ? one.kind === panel.kind : !state.labels.has(one.kind));
  const samples = panels.filter((one) => isMeant(one) && (one.isShown || one.kind === panel.kind)).flatMap(samplesOf);
  if (samples.some((one) => !ranges.has(one))) {
    askRanges(samples);
    return undefined;
  }
  const seen = samples.map((one) => ranges.get(one)).filter(Boolean);
  if (!seen.length) return null;
  return [Math.min(...seen.map(([low]) => low)), Math.max(...seen.map(([, high]) => high))];
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
  else if (running === 0) known();
}

// --- pictures --------------------------------------------------------------------------------------------------------

// All pictures at a place; undefined ones are left out.
export function needed(step, cut) {
  const found = panels.filter((panel) => panel.isShown).flatMap(layersOf);
  const made = found.map((panel) => ({ panel, range: rangeFor(panel) }));
  return made.filter(({ range }) => range !== undefined).map(({ panel, range }) => picture(panel, step, cut, range));
}

export function neighbors() {
  const places = [];
  const far = data.slider ? NEIGHBORS.step : 0;
  const around = data.slider ? NEIGHBORS.beside : NEIGHBORS.alone;
  for (let distance = 1; distance <= Math.max(far, around); distance += 1) {
    for (const sign of [state.direction, -state.direction]) {
      const step = state.step + sign * distance;
      if (distance <= far && step >= 0 && step < steps.length) places.push([step, state.cut]);
      const place = depth && state.cut[depth.name] + sign * distance;
      if (depth && distance <= around && place >= 0 && place < depth.size) {
        places.push([state.step, { ...state.cut, [depth.name]: place }]);
      }
    }
  }
  return places;
}
