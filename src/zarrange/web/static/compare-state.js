// What the page is about, and the one state that all panels are drawn from.

import { Panel, View } from "./compare-panel.js";

export const data = JSON.parse(document.getElementById("comparison").textContent);
export const steps = data.slider?.texts ?? [];
export const byId = (id) => document.getElementById(id);

export const rows = data.rows.map((row, index) => {
  const elements = document.querySelectorAll(`[data-row="${index}"] .panel`);
  return row.panels.map((panel, place) => new Panel(elements[place], panel, row.run));
});
export const panels = rows.flat();
export const kinds = rows.length ? rows[0].map((panel) => panel.kind) : [];

const given = data.state;
export const state = {
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

// The value of a slider, of the iteration ("" for its axis) or of an axis, and the last one that it has.
export const slid = (axis) => (axis ? state.cut[axis] : state.step);
export const most = (axis) => (axis ? data.axes.find(({ name }) => name === axis).size : steps.length) - 1;

// The axis that the first slider but that of the iterations is for, if there is one.
export const [depth] = data.axes.filter(({ role }) => role === "index");

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
