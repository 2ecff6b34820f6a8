// Zooming, dragging and pointing: what part of the planes is seen.

import { writeLater } from "./compare-address.js";
import { point, redraw, show } from "./compare-drawing.js";
import { regionText } from "./compare-needs.js";
import { clamp } from "./compare-panel.js";
import { byId, panels, state } from "./compare-state.js";

export const ZOOM = 1.25;

export function zoom(factor, place = state.view.at) {
  if (factor) state.view.zoomAbout(factor, place);
  else state.view.set(1, null);
  looked();
}

export function looked() {
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

for (const [id, factor] of [["zoom-in", ZOOM], ["zoom-out", 1 / ZOOM], ["zoom-fit", 0]]) {
  byId(id).addEventListener("click", () => zoom(factor));
}
