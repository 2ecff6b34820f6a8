// The table of runs: counts and sizes are asked for as rows come into view, and the filter works while one types.
// Without this script the page has the same by `.full=1` and by the form.
"use strict";

(() => {
  const AT_ONCE = 4; // requests; the server has other work
  const PAUSE = 250; // ms after the last key before the server is asked for names of other pages
  const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  const waiting = [];
  const chosen = new Map(); // of runs that are chosen: the value, and the name of the field
  let running = 0;
  let observer = null;
  let released = Promise.resolve(); // when no button of the mouse, and no finger, is down

  function inBytes(number) {
    let rest = number;
    let unit = 0;
    while (Math.round(rest * 10) / 10 >= 1024 && unit < UNITS.length - 1) {
      rest /= 1024;
      unit += 1;
    }
    const shown = rest.toLocaleString("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
    return rest === number ? `${number} B` : `${shown} ${UNITS[unit]}`;
  }

  const counted = (count, what) => `${count.toLocaleString("en-US")} ${what}${count === 1 ? "" : "s"}`;

  function made(name, text, className = "") {
    const element = document.createElement(name);
    element.textContent = text;
    if (className) element.className = className;
    return element;
  }

  // Rows grow when they are filled in. A click whose button moves away between press and release would be lost, so
  // the table waits until what is pressed is let go.
  function prepareHolding() {
    document.addEventListener("pointerdown", (event) => {
      if (event.button) return; // menus take the release of other buttons
      released = new Promise((resolve) => {
        const afterClick = () => setTimeout(resolve);
        for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, afterClick, { once: true });
      });
    });
  }

  // --- filling in ---

  async function ask(address) {
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    const data = await answer.json();
    await released;
    if (!answer.ok) throw new Error(data.error || answer.statusText);
    return data;
  }

  const cellOf = (row, name) => row.querySelector(`[data-cell="${name}"]`);

  function put(row, name, ...content) {
    const cell = cellOf(row, name);
    if (!cell) return;
    cell.replaceChildren(...content);
    cell.classList.remove("waiting");
  }

  function showSummary(row, summary) {
    const list = document.createElement("ul");
    list.className = "kinds";
    for (const [kind, count] of Object.entries(summary.kinds)) {
      if (!count) continue;
      const item = made("li", `${kind.replaceAll("_", " ")} `);
      item.append(made("b", count.toLocaleString("en-US")));
      list.append(item);
    }
    const parts = list.children.length ? [list] : [];
    if (summary.unreadable) parts.push(made("span", counted(summary.unreadable, "unreadable place"), "wrong"));
    put(row, "kinds", ...parts);
    put(row, "count", summary.count.toLocaleString("en-US"));
    const has = summary.first !== null && summary.first !== undefined;
    put(row, "range", !has ? "" : summary.first === summary.last ? `${summary.first}` : `${summary.first} – ${summary.last}`);
    const time = document.createElement("time");
    if (typeof summary.modified === "number") {
      time.dateTime = new Date(summary.modified * 1000).toISOString();
      window.zarrange.showTime(time);
    }
    put(row, "modified", time);
  }

  async function fill(row) {
    const asked = row.dataset.ask;
    try {
      showSummary(row, await ask(`/api/runs/summary?${asked}`));
      const size = await ask(`/api/runs/size?${asked}`);
      put(row, "size", inBytes(size.bytes));
      row.dataset.filled = "yes";
    } catch (error) {
      for (const cell of row.querySelectorAll(".waiting")) {
        cell.classList.remove("waiting");
        if (cell.dataset.cell === "size") cell.replaceChildren(made("span", "unknown", "quiet"));
      }
      cellOf(row, "kinds").append(made("span", error.message, "wrong"));
      row.dataset.filled = "no";
    }
  }

  async function work() {
    if (running >= AT_ONCE) return;
    running += 1;
    while (waiting.length) {
      const row = waiting.shift();
      if (row.isConnected) await fill(row);
    }
    running -= 1;
  }

  function seen(entries) {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      observer.unobserve(entry.target);
      waiting.push(entry.target);
      work();
    }
  }

  function watchRows() {
    observer?.disconnect();
    waiting.length = 0;
    observer = new IntersectionObserver(seen, { rootMargin: "200px" });
    for (const row of document.querySelectorAll("tr[data-ask]")) {
      if (cellOf(row, "size").textContent.trim()) continue; // the server has filled it in
      for (const cell of row.querySelectorAll("[data-cell]")) cell.classList.add("waiting");
      observer.observe(row);
    }
  }

  // --- choosing ---

  function showChosen() {
    const form = document.querySelector("#found form");
    if (!form) return;
    form.querySelectorAll("input[type=hidden]").forEach((one) => one.remove());
    for (const box of form.querySelectorAll("input[type=checkbox]")) box.checked = chosen.has(box.value);
    const here = new Set([...form.querySelectorAll("input[type=checkbox]")].map((box) => box.value));
    for (const [value, name] of chosen) {
      if (here.has(value)) continue; // what is chosen stays so while the filter hides it
      const kept = document.createElement("input");
      Object.assign(kept, { type: "hidden", name, value });
      form.append(kept);
    }
    const output = document.getElementById("chosen");
    if (!output) return;
    output.dataset.empty ??= output.textContent;
    output.textContent = chosen.size ? `${chosen.size} chosen` : output.dataset.empty;
    for (const button of form.querySelectorAll(".chosen button")) button.disabled = !chosen.size;
  }

  function prepareChoosing() {
    document.addEventListener("change", (event) => {
      const box = event.target;
      if (box.type !== "checkbox" || !box.closest(".runs")) return;
      if (box.checked) chosen.set(box.value, box.name);
      else chosen.delete(box.value);
      showChosen();
    });
  }

  function gatherChosen() {
    for (const box of document.querySelectorAll(".runs input[type=checkbox]:checked")) chosen.set(box.value, box.name);
    showChosen();
  }

  // --- filtering ---

  const asked = (pattern) => (pattern ? `/?.filter=${encodeURIComponent(pattern)}` : "/");
  let latest = 0;

  // All names may not be on this page, so the server says which ones there are.
  async function load(pattern) {
    latest += 1;
    const mine = latest;
    const answer = await fetch(asked(pattern), { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.getElementById("found");
    await released;
    if (mine !== latest || !found) return;
    document.getElementById("found").replaceWith(document.importNode(found, true));
    history.replaceState(null, "", asked(pattern));
    watchRows();
    showChosen();
  }

  function hideOthers(pattern) {
    const part = pattern.toLowerCase();
    for (const row of document.querySelectorAll("tr[data-name]")) row.hidden = !row.dataset.name.includes(part);
  }

  function prepareFilter() {
    const form = document.getElementById("filter");
    const input = document.getElementById("pattern");
    let timer = 0;
    form.querySelector("button").hidden = true;
    input.addEventListener("input", () => {
      hideOthers(input.value);
      clearTimeout(timer);
      timer = setTimeout(() => load(input.value).catch(() => form.requestSubmit()), PAUSE);
    });
    form.addEventListener("submit", (event) => {
      if (event.submitter === null) return;
      event.preventDefault();
      clearTimeout(timer);
      load(input.value).catch(() => form.submit());
    });
  }

  prepareHolding();
  prepareFilter();
  prepareChoosing();
  watchRows();
  gatherChosen();
})();
