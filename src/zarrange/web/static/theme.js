// What every page does: dark or light, as the system has it unless the button has said otherwise; times of this place.
"use strict";

(() => {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function stored() {
    try {
      const theme = localStorage.getItem("theme");
      return theme === "dark" || theme === "light" ? theme : null;
    } catch {
      return null; // no storage: the choice lasts for this page
    }
  }

  function store(theme) {
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // as above
    }
  }

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
  }

  function prepareTheme() {
    const button = document.getElementById("theme");
    const show = () => button.setAttribute("aria-pressed", String(isDark()));
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      store(root.dataset.theme);
      show();
    });
    dark.addEventListener("change", show);
    show();
    button.hidden = false;
  }

  const two = (number) => String(number).padStart(2, "0");

  // Show a <time> as it is here, to the minute.
  function showTime(element) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) return;
    const day = [moment.getFullYear(), two(moment.getMonth() + 1), two(moment.getDate())].join("-");
    element.textContent = `${day} ${two(moment.getHours())}:${two(moment.getMinutes())}`;
    element.title = moment.toString();
  }

  if (stored()) root.dataset.theme = stored();
  window.zarrange = { showTime };
  document.addEventListener("DOMContentLoaded", () => {
    prepareTheme();
    document.querySelectorAll("time").forEach(showTime);
  });
})();
