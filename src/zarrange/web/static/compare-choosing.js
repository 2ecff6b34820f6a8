// Choosing: the range of gray, which kinds are shown and how, and what asks the server for another page.

import { address, write, writeLater } from "./compare-address.js";
import { redraw, show } from "./compare-drawing.js";
import { byId, data, panels, setText, state } from "./compare-state.js";
import { short } from "./compare-values.js";

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
range.value = Array.isArray(state.range) ? "typed" : state.range;
if (Array.isArray(state.range)) [low.value, high.value] = state.range;
byId("typed").hidden = range.value !== "typed";

const opacity = byId("opacity");
opacity.addEventListener("input", () => {
  state.opacity = opacity.valueAsNumber;
  redraw();
  writeLater();
});
opacity.valueAsNumber = state.opacity;

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

export function choosePanels() {
  for (const panel of panels) panel.element.hidden = !state.shown.has(panel.kind);
  byId("nothing").hidden = state.shown.size > 0;
  fitAll();
  show();
}

export function fitAll() {
  let isChanged = false;
  for (const panel of panels) isChanged = (panel.isShown && panel.fit()) || isChanged;
  if (isChanged) redraw();
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
