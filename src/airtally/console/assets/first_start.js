// The form of the first start: proposes a slug while the name is written, and the time zone of this browser.
"use strict";

(() => {
  function slugOf(name) {
    const plain = name.normalize("NFKD").replace(/[^\x00-\x7f]/g, "").toLowerCase();
    return plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 32).replace(/-+$/, "");
  }

  document.addEventListener("DOMContentLoaded", () => {
    const name = document.querySelector("[data-names]");
    const slug = document.getElementById(name.dataset.names);
    let proposed = slug.value === "" || slug.value === slugOf(name.value);
    name.addEventListener("input", () => { if (proposed) slug.value = slugOf(name.value); });
    slug.addEventListener("input", () => { proposed = slug.value === ""; });
    const zone = document.querySelector('[data-zone="fill"]');
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const known = [...document.querySelectorAll("#zones option")].some((each) => each.value === here);
    if (zone && known) zone.value = here;
  });
})();
