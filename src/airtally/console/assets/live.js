// Regions with `data-live` are asked for anew every so many seconds, while somebody looks at the page. What came the same
// again is left alone, and so is a region that has the focus.
"use strict";

(() => {
  const before = new WeakMap(), sorted = new WeakMap();
  const note = () => document.querySelector("[data-live-note]");

  function say(words) {
    const place = note();
    if (place && place.textContent !== words) place.textContent = words;
  }

  function begin(region) {
    const seconds = Number(region.dataset.live);
    const ask = () => {
      if (!document.hidden && !region.contains(document.activeElement)) htmx.trigger(region, "live");
    };
    setInterval(ask, 1000 * seconds);
    document.addEventListener("visibilitychange", ask);
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    const region = event.detail.target, xhr = event.detail.xhr;
    if (!region.matches("[data-live]")) return;
    if (xhr.status >= 400) { event.detail.shouldSwap = false; return; }
    if (new URL(xhr.responseURL).pathname !== location.pathname) { location.reload(); return; } // the session has ended
    say("");
    if (before.get(region) === xhr.responseText) event.detail.shouldSwap = false;
    else sorted.set(region, [...region.querySelectorAll("th[aria-sort]")].map(({ cellIndex, ariaSort }) => [cellIndex, ariaSort]));
    before.set(region, xhr.responseText);
  });
  // Tables stay sorted as they were; console.js has made their headings buttons by then.
  document.addEventListener("htmx:afterSettle", (event) => {
    for (const [column, order] of sorted.get(event.detail.target) ?? []) {
      const button = event.detail.target.querySelector(`th:nth-child(${column + 1}) button`);
      button?.click();
      if (order === "descending") button?.click();
    }
  });
  for (const failed of ["htmx:responseError", "htmx:sendError"]) {
    document.addEventListener(failed, () => say("Not up to date: the server does not answer."));
  }
  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-live]").forEach(begin));
})();
