// Tables that a reader may sort by column and search. Without this script they are plain tables.
"use strict";

const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

function compareCells(first, second, numeric, sign) {
  if (!numeric) return sign * words.compare(first.textContent, second.textContent);
  const [a, b] = [first.dataset.value, second.dataset.value];
  // empty cells and nan last, whichever way the numbers go
  const known = [a, b].map((value) => value !== "" && !Number.isNaN(Number(value)));
  if (!known[0] || !known[1]) return Number(known[1]) - Number(known[0]);
  return sign * (Number(a) === Number(b) ? 0 : Number(a) < Number(b) ? -1 : 1);
}

// A printed page shows the first rows of those that are shown and in their order.
function markPrinted(body) {
  const printed = Number(body.closest(".table").dataset.printedRows);
  let shown = 0;
  for (const row of body.rows) {
    if (!row.hidden) shown += 1;
    row.classList.toggle("beyond", shown > printed);
  }
}

function makeSortable(table) {
  const body = table.tBodies[0];
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    if (!header.textContent) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    header.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const numeric = header.classList.contains("numeric");
      const rows = [...body.rows];
      rows.sort((a, b) => compareCells(a.cells[column], b.cells[column], numeric, sign));
      body.append(...rows);
      headers.forEach((other) => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
      header.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      markPrinted(body);
    });
  });
}

function makeSearchable(box) {
  const body = box.querySelector("tbody");
  const form = document.createElement("div");
  form.className = "search";
  form.setAttribute("role", "search");
  const label = document.createElement("label");
  const input = document.createElement("input");
  const found = document.createElement("output");
  label.textContent = "Search this table";
  input.type = "search";
  input.id = `search-${box.id}`;
  label.htmlFor = found.htmlFor = input.id;
  form.append(label, input, found);
  box.prepend(form);
  const texts = new Map([...body.rows].map((row) => [row, row.textContent.toLowerCase()]));
  const say = () => {
    const shown = [...body.rows].filter((row) => !row.hidden).length;
    found.textContent = `${shown} of ${body.rows.length} rows`;
  };
  input.addEventListener("input", () => {
    const sought = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of body.rows) row.hidden = !sought.every((word) => texts.get(row).includes(word));
    markPrinted(body);
    say();
  });
  say();
}

// On a narrow screen the contents would push the report out of sight.
if (window.matchMedia("(max-width: 63.99rem)").matches) document.querySelector("nav details").open = false;

for (const box of document.querySelectorAll(".table.interactive")) {
  makeSortable(box.querySelector("table"));
  makeSearchable(box);
}
