// What pages do without asking the server: tables that sort, text that is copied, questions before a form is sent, the
// menu on a narrow screen, and keys. Everything works without it, but for these.
"use strict";

(() => {
  const narrow = window.matchMedia("(max-width: 52rem)");

  function prepare(root) {
    root.querySelectorAll("table[data-sortable]").forEach(makeSortable);
  }

  function makeSortable(table) {
    table.querySelectorAll("thead th:not([data-unsorted])").forEach((heading, at) => {
      if (heading.querySelector("button")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(table, heading, at));
      heading.append(button);
    });
  }

  function sort(table, heading, at) {
    const down = heading.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("th[aria-sort]").forEach((each) => each.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = [...body.rows].sort((left, right) => compare(cellText(left, at), cellText(right, at)));
    body.append(...(down ? rows.reverse() : rows));
  }

  function cellText(row, at) {
    const cell = row.cells[at];
    return cell ? cell.dataset.value ?? cell.textContent.trim() : "";
  }

  function compare(left, right) {
    const numbers = [Number(left), Number(right)];
    if (left !== "" && right !== "" && !numbers.some(Number.isNaN)) return numbers[0] - numbers[1];
    return left.localeCompare(right, undefined, { numeric: true });
  }

  async function copy(button) {
    const text = button.closest(".code").querySelector("code").textContent;
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      const range = document.createRange(); // without https the browser gives no clipboard: the text is selected instead
      range.selectNodeContents(button.closest(".code").querySelector("code"));
      const selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = before; }, 2000);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.ask;
    if (question && !window.confirm(question)) event.preventDefault();
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.matches("input, textarea, select")) return;
    const search = document.querySelector("[data-search]");
    if (search) { event.preventDefault(); search.focus(); }
  });
  // A part of the page that cannot be fetched says so at the top; pages with live parts have a place of their own for it.
  function unreached(shown) {
    const before = document.querySelector("[data-unreached]");
    if (!shown || document.querySelector("[data-live-note]")) { before?.remove(); return; }
    if (before) return;
    const words = document.createElement("p");
    words.className = "failure";
    words.dataset.unreached = "";
    words.setAttribute("role", "alert");
    words.textContent = "The server does not answer: what you see is from before. Check that it runs, and try again.";
    document.getElementById("main").prepend(words);
  }

  document.addEventListener("htmx:sendError", () => unreached(true));
  document.addEventListener("htmx:afterOnLoad", () => unreached(false));
  document.addEventListener("htmx:load", (event) => prepare(event.detail.elt));
  document.addEventListener("DOMContentLoaded", () => {
    const menu = document.querySelector("details.menu");
    if (menu) {
      const fit = () => { menu.open = !narrow.matches; };
      fit();
      narrow.addEventListener("change", fit);
    }
    prepare(document);
  });
})();
