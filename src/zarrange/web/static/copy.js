// Buttons that copy a text of the page; and what the server says where it has no picture.
"use strict";

(() => {
  const SHOWN = 2000; // ms

  function select(element) {
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  }

  async function copy(button) {
    const source = document.getElementById(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      select(source); // no clipboard here: it is one key away
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), SHOWN);
  }

  for (const button of document.querySelectorAll("button[data-copies]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }

  async function explain(image) {
    const reason = document.createElement("p");
    reason.className = "notice warn";
    reason.textContent = "There is no picture of it.";
    try {
      const answer = await fetch(image.src, { headers: { Accept: "application/json" } });
      if (answer.ok) return; // it can be drawn by now
      reason.textContent = (await answer.json()).error;
    } catch {
      // it stays at what is known
    }
    image.closest(".view").replaceChildren(reason);
  }

  for (const image of document.querySelectorAll(".picture img")) {
    image.addEventListener("error", () => explain(image));
    if (image.complete && !image.naturalWidth) explain(image);
  }
})();
