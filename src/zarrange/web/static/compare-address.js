// The address of the page, which says the whole state: whoever is sent it sees the same.

import { byId, data, kinds, panels, state, steps } from "./compare-state.js";
import { short } from "./compare-values.js";

const WRITING = 250; // milliseconds of rest before the address follows

export function address() {
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

export function writeLater() {
  writing ||= setTimeout(write, WRITING); // browsers take only so many changes of the address
}

export function write() {
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
