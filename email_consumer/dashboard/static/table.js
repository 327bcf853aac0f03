// Tables of numbers, which scroll sideways where they have no room.

import { el } from "./dom.js";

/** A table with these column heads, which may be empty; `name` tells what it is, `body` is its tbody. */
export function table(name, heads, body) {
  const row = el("tr", {}, ...heads.map((head) => (head ? el("th", { scope: "col" }, head) : el("td"))));
  return el("div", { class: "wide", tabindex: "0", role: "group", "aria-label": name }, el("table", {}, el("thead", {}, row), body));
}

/** A row: its head, and its cells. */
export const row = (properties, head, cells) => el("tr", properties, el("th", { scope: "row" }, head), ...cells.map((cell) => el("td", {}, cell)));
