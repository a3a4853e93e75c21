// SQL: Ctrl+Enter runs the statement, a column's name is put into it by a click, and the list of tables is searched.
"use strict";

(() => {
  function insert(name) {
    const area = document.getElementById("sql");
    area.setRangeText(name, area.selectionStart, area.selectionEnd, "end");
    area.focus();
  }

  // Opens the tables that have the text, and hides the others.
  function filter(list, text) {
    for (const table of list.querySelectorAll("details")) {
      const words = text.toLowerCase();
      const own = table.querySelector("summary").textContent.toLowerCase().includes(words);
      let some = false;
      for (const column of table.querySelectorAll("li")) {
        const fits = own || column.textContent.toLowerCase().includes(words);
        column.hidden = !fits;
        some ||= fits;
      }
      table.hidden = !some;
      table.open = words !== "" && some && !own;
    }
  }

  function asButton(code) {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Put it into the statement";
    button.append(...code.childNodes);
    code.append(button);
    button.addEventListener("click", () => insert(button.textContent));
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-inserts]").forEach(asButton));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !event.target.matches("[data-runs]")) return;
    event.preventDefault();
    event.target.form.requestSubmit();
  });
  document.addEventListener("input", (event) => {
    const list = event.target.dataset.filters;
    if (list) filter(document.querySelector(list), event.target.value);
  });
})();
