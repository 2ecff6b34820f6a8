// Moving through iterations and planes: sliders, playing, and keys.

import { show } from "./compare-drawing.js";
import { clamp } from "./compare-panel.js";
import { ZOOM, zoom } from "./compare-pointing.js";
import { byId, depth, most, panels, slid, state, steps } from "./compare-state.js";

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
