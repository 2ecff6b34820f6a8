// The Compare page: what is looked at is one state, which the address says, and all panels are drawn from.

import { write } from "./compare-address.js";
import { choosePanels, fitAll } from "./compare-choosing.js";
import { redraw } from "./compare-drawing.js";
import "./compare-moving.js";
import { clamp } from "./compare-panel.js";
import { looked } from "./compare-pointing.js";
import { byId, data } from "./compare-state.js";

if (data.extent) {
  const [y0, x0, y1, x1] = data.extent;
  document.documentElement.style.setProperty("--aspect", clamp((x1 - x0) / (y1 - y0), 0.5, 2));
}
for (const one of document.querySelectorAll("[data-script]")) one.hidden = false;
for (const one of document.querySelectorAll("[data-plain]")) one.hidden = true;
new ResizeObserver(fitAll).observe(byId("panels"));
window.addEventListener("pagehide", write);
window.addEventListener("pageshow", () => redraw());
choosePanels();
looked();
