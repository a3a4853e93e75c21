// Explore: a part of a chart that is drawn over becomes the range of the form, and a chart a picture.
"use strict";

(() => {
  // On the clocks of the server's form: a local time as it is, else the moment in UTC, which the server shows in the zone.
  function momentText(seconds, zone) {
    const text = new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
    return zone === "UTC" ? text.slice(0, -1) : text;
  }

  function zoom({ start, end, zone }) {
    const form = document.querySelector("#explore form.question");
    if (!form) return;
    form.elements.range.value = "";
    for (const [name, seconds] of [["start", start], ["end", end]]) {
      const field = form.elements[name];
      field.type = "text"; // a field for moments takes none with an offset
      field.value = momentText(seconds, zone);
    }
    form.requestSubmit();
  }

  function save(button) {
    const figure = button.closest(".below").previousElementSibling;
    const address = window.airtallyCharts.image(figure);
    if (!address) return;
    const link = document.createElement("a");
    link.href = address;
    link.download = `${button.dataset.png}.png`;
    link.click();
  }

  // Says for whoever does not see it what a new answer is, or why there is none.
  function tell() {
    const told = document.getElementById("explore-told"), said = document.querySelector("#explore :is(.failure, .empty, .quality)");
    if (told) told.textContent = said ? said.textContent : "";
  }

  document.addEventListener("htmx:afterSettle", tell);
  document.addEventListener("airtally:zoom", (event) => zoom(event.detail));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-png]");
    if (button) save(button);
  });
})();
