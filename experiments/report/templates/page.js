"use strict";
/* Sorts and filters tables, and copies commands. A page whose reader runs no scripts lacks these, and nothing else. */
const MANY = 8; /* rows, from which on a table can be filtered */

function made(tag, name, text) {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}

/* What a cell is sorted by: a number, seconds of a duration, or words; null where it is empty. */
function key(cell) {
  const text = (cell?.dataset.sort ?? "").trim();
  if (text === "" || text === "–") return null;
  const time = /^(?:(\d+) h )?(?:(\d+) min ?)?(?:(\d+) s)?$/.exec(text);
  if (time) return 3600 * (time[1] ?? 0) + 60 * (time[2] ?? 0) + Number(time[3] ?? 0);
  const number = Number(text.replaceAll(",", ""));
  return Number.isNaN(number) ? text : number;
}

function compared(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), undefined, { numeric: true });
}

/* Sorts the rows of each group by a column; empty cells come last in either direction. */
function sort(table, place, sign) {
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
    const keys = new Map(rows.map((row) => [row, key(row.cells[place])]));
    const last = rows.filter((row) => keys.get(row) === null);
    const known = rows.filter((row) => keys.get(row) !== null);
    known.sort((one, other) => sign * compared(keys.get(one), keys.get(other)));
    body.append(...known, ...last);
  }
}

for (const table of document.querySelectorAll(".table table")) {
  let place = 0;
  for (const head of table.tHead.rows[0].cells) {
    const first = place;
    place += head.colSpan;
    const button = made("button", "sort", "");
    button.title = "Sort by this column";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      sort(table, first, up ? 1 : -1);
    });
  }
  const rows = [...table.querySelectorAll("tbody tr:not(.group)")];
  if (rows.length > MANY) {
    const label = made("label", "filter", "Filter rows ");
    const input = made("input", "", "");
    input.type = "search";
    label.append(input);
    table.closest(".table").prepend(label);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/);
      for (const row of rows) {
        const text = row.textContent.toLowerCase().replaceAll("\u2212", "-");
        row.hidden = !words.every((word) => text.includes(word));
      }
    });
  }
}

for (const code of document.querySelectorAll(".command code")) {
  const button = made("button", "copy", "Copy");
  code.before(button);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
}
document.documentElement.classList.add("scripted");
