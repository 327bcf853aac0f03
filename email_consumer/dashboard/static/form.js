// What forms are made of, and what is shown to be copied.

import { el } from "./dom.js";
import { T } from "./texts.js";

/** A field with its name above it. */
export const field = (name, input) => el("label", {}, el("span", {}, name), input);

/** A choice among `names`, texts by value; the first one, "", stands for all. */
export function select(id, names, all = T.all) {
  const options = Object.entries(names).map(([value, text]) => el("option", { value }, text));
  return el("select", { id }, el("option", { value: "" }, all), ...options);
}

/** What is separated by spaces or commas. */
export const separate = (text) => text.split(/[\s,]+/).filter(Boolean);

/** A moment of a datetime-local field, which is in the viewer's time zone, as RFC 3339; "" if it is empty. */
export const instant = (input) => (input.value ? new Date(input.value).toISOString() : "");

/** A button that copies what `text()` returns; null where the connection is not secure, so that browsers forbid it. */
export function copyButton(title, text) {
  if (!navigator.clipboard) return null;
  const copy = async ({ target }) => {
    await navigator.clipboard.writeText(text());
    target.textContent = T.copied;
  };
  return el("button", { type: "button", onclick: copy }, title);
}

/** Something that is shown once. */
export const secret = (title, text) => el("span", { class: "secret" }, title, el("code", {}, text), copyButton(T.copy, () => text));
