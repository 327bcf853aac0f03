// Tables of numbers. On a phone each name stands above its numbers.

import { el } from "./dom.js";

/** A table with these column heads, which may be empty; `name` tells what it is, `body` is its tbody. */
export function table(name, heads, body) {
  const row = el("tr", {}, ...heads.map((head) => (head ? el("th", { scope: "col" }, head) : el("td"))));
  const box = el("div", { class: "wide stacked", tabindex: "0", role: "group", "aria-label": name }, el("table", {}, el("thead", {}, row), body));
  box.style.setProperty("--columns", heads.length - 1);
  return box;
}

/** A row: its head, and its cells. */
export const row = (properties, head, cells) => el("tr", properties, el("th", { scope: "row" }, head), ...cells.map((cell) => el("td", {}, cell)));
