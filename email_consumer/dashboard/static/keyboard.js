// The keyboard: / searches, arrows walk through the rows of a list, Escape leaves a field or goes back.

import { byId } from "./dom.js";

const FIELDS = new Set(["INPUT", "SELECT", "TEXTAREA"]);

export function listenForKeys() {
  document.addEventListener("keydown", (event) => {
    const field = FIELDS.has(document.activeElement.tagName);
    if (event.ctrlKey || event.metaKey || event.altKey || byId("confirm").open) return;
    if (event.key === "Escape" && field) document.activeElement.blur();
    else if (field) return;
    else if (event.key === "/" && !byId("find-form").hidden) byId("find-text").focus();
    else if (event.key === "Escape" && location.hash.includes("/")) history.back();
    else if (event.key === "ArrowDown") walk(1, event);
    else if (event.key === "ArrowUp") walk(-1, event);
    else return;
    if (event.key === "/") event.preventDefault();
  });
}

/** Moves the focus to the next row, if one has it or a list is shown. */
function walk(step, event) {
  const rows = [...document.querySelectorAll("main .rows > li a.open, main .rows > li summary")].filter((row) => row.checkVisibility());
  const index = rows.indexOf(document.activeElement);
  const next = rows[index < 0 ? (step > 0 ? 0 : -1) : index + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}
